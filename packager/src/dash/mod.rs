//! DASH manifests (ISO 23009-1).
