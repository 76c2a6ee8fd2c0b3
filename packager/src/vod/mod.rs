//! From a stored movie to segments: the index of an asset and the plan of its segments.
