//! FLV tag bodies: RTMP message payload ↔ codec configuration or access unit (FLV 10.1 E.4, live.md 7).
