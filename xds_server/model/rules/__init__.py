"""What the CRDs' schemas ask of each kind, as tables: FIELDS (field by field) and RULES (fields together)."""
