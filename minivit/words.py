"""Sentences as numbers: the places of their words in a vocabulary, which begins with three marks."""

import numpy as np

MARKS = ("<pad>", "<start>", "<end>")
PAD, START, END = range(3)  # their places: what fills a sentence up, its beginning, its end


def in_words(sentence: np.ndarray, words: tuple[str, ...]) -> str:
    """The text of a sentence: what stands between <start> and <end>.    int (L,) -> str"""
    ends = np.flatnonzero(sentence == END)
    until = ends[0] if len(ends) else len(sentence)
    return " ".join(words[number] for number in sentence[:until] if number not in (PAD, START))


def in_numbers(sentences: list[str], words: tuple[str, ...]) -> np.ndarray:
    """The reverse for several texts, padded to the longest.    N of str -> int64 (N, L)

    Raises
    ------
    ValueError
        For a word that is not in the vocabulary; the message names the sentence.
    """
    places = {word: number for number, word in enumerate(words)}
    rows = [sentence.split() for sentence in sentences]
    numbers = np.full((len(rows), 2 + max(map(len, rows), default=0)), PAD, np.int64)
    for row, text in zip(numbers, rows, strict=True):
        unknown = [word for word in text if word not in places]
        if unknown:
            raise ValueError(f"sentence {' '.join(text)!r}: unknown word {unknown[0]!r}; there are {len(words)} words")
        row[:len(text) + 2] = [START, *(places[word] for word in text), END]
    return numbers


def mirrored_words(words: tuple[str, ...]) -> np.ndarray:
    """For each word of a vocabulary the one that a mirrored picture asks for: left and right change places.

    -> int64 (number of words,)
    """
    other = {"left": "right", "right": "left"}
    return np.array([words.index(other[word]) if other.get(word) in words else number
                     for number, word in enumerate(words)], np.int64)
