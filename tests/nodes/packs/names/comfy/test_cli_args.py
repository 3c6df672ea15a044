from nodes.packs.names.comfy.cli_args import LatentPreviewMethod, args


def test_options_have_the_values_of_a_process_without_any() -> None:
    assert args.disable_metadata is False and args.output_directory is None and args.fast == set()
    args.preview_method = LatentPreviewMethod.from_string("taesd")
    assert args.preview_method is LatentPreviewMethod.TAESD
    args.preview_method = LatentPreviewMethod.Auto
    assert LatentPreviewMethod.from_string("no") is None
    assert not hasattr(args, "an_option_of_tomorrow")
