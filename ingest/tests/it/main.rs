//! Stories over real sockets: encoders and players of rml_rtmp, a stranger's implementation, meet our server.

mod peer;
mod play;
mod publish;
mod rude;
mod stage;
