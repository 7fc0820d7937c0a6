"""Real rejections by real Envoys, with our own checks switched off."""
