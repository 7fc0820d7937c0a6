"""The composition root: settings become objects that know each other. Nothing else sees all parts."""
