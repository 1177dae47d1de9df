"""python -m minivit data: fetch a data set, and look at it."""


def add_commands(subparsers):
    """Register the command."""
    parser = subparsers.add_parser(
        "data", help="fetch and verify a data set",
        description="Load a data set: from the cache folder, or from the web into it; check it; say what is in it. "
                    "The cache folder is $MINIVIT_DATA, or `minivit` in your own cache folder.")
    parser.add_argument("name", metavar="NAME", help="cifar10, cifar100, shapes10 and scenes (built in) or a folder")
    parser.set_defaults(run=fetch)


def fetch(args):
    """Print what `data` promises."""
    from .. import data
    train_set, test_set = data.load(args.name)
    mean, std = data.channel_statistics(train_set.images)
    height, width = train_set.images.shape[1:3]
    print(f"{train_set.name}: {len(train_set):,} pictures to train on and {len(test_set):,} to test on, "
          f"{height} x {width} pixels")
    names = train_set.classes[:10]
    more = f" and {len(train_set.classes) - len(names)} more" if len(train_set.classes) > len(names) else ""
    print(f"{len(train_set.classes)} classes: {', '.join(names)}{more}")
    print(f"red, green, blue: mean {mean.round(4)}, standard deviation {std.round(4)}")
    if train_set.name not in ("shapes10", "scenes"):
        print(f"cache folder: {data.cache_folder()}")
