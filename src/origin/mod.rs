//! Where answers come from on a miss: broadcasts, stored assets. It never knows that it is cached.

pub mod live;
pub mod vod;
