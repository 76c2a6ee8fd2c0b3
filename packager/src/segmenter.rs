//! Where parts and segments begin; nothing else decides that.
