"""What clients talk to: one module per feature, under the name of the domain module it mirrors."""
