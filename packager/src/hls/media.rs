//! The media playlist (RFC 8216bis 4.4.3 to 4.4.5).
