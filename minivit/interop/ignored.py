"""Keys of a config.json that change nothing of what a model computes, in whatever architecture."""

# model_args of timm: what changes a model in training only, where its weights begin, or which pictures it refuses
TIMM = (
    "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
    "weight_init", "dynamic_img_size", "dynamic_img_pad", "strict_img_size", "num_classes",
)
# What lies beside model_args: the sizes that the tensors have too, names of classes, where the weights are from, and
# what preprocessing.py reads
TIMM_BESIDE = (
    "architecture", "num_classes", "num_features", "global_pool", "model_args", "pretrained_cfg", "labels",
    "label_names", "label_descriptions", "label_offset", "url", "file", "hf_hub_id", "hf_hub_filename", "source",
    "tag", "custom_load", "input_size", "test_input_size", "min_input_size", "fixed_input_size", "interpolation",
    "crop_pct", "test_crop_pct", "crop_mode", "mean", "std", "pool_size", "test_pool_size", "first_conv",
    "classifier", "license", "description", "origin_url", "paper_name", "paper_ids", "notes",
)
# What every configuration of transformers may hold, versions 4 and 5: about training, text, and how weights are stored;
# and path_norm, which no code reads, but files of the hub have (Swin, Swin V2, NAT, DiNAT)
TRANSFORMERS = (
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "architectures",
    "attn_implementation", "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "chunk_size_feed_forward",
    "cross_attention_hidden_size", "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype",
    "early_stopping", "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty",
    "finetuning_task", "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "id2label",
    "initializer_range", "is_encoder_decoder", "label2id", "length_penalty", "max_length", "min_length",
    "model_type", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "pad_token_id", "prefix", "problem_type",
    "remove_invalid_values", "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id",
    "suppress_tokens", "task_specific_params", "temperature", "tf_legacy_loss", "tie_encoder_decoder",
    "tie_word_embeddings", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript",
    "transformers_version", "typical_p", "use_bfloat16", "use_cache", "hidden_dropout_prob",
    "attention_probs_dropout_prob", "drop_path_rate", "classifier_dropout_prob", "encoder_stride",
    "path_norm", "pooler_output_size", "pooler_act", "out_features", "out_indices", "stage_names",
)
