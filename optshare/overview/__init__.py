"""What a model consists of: summary, nparams, flops."""
