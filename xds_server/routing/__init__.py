"""What traffic should experience: values that know neither Kubernetes nor Envoy."""
