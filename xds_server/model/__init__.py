"""What users and the cluster wrote: frozen values without behaviour, one module per API group or kind."""
