"""The pure form of a rule: state and parameters in, new ones out, for nested containers."""
