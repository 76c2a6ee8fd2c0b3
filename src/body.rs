//! Reading a body that somebody else sends.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Limited};

/// All of a body, as long as it has at most `most` octets.
///
/// # Errors
/// When it has more, or ends early.
#[expect(clippy::disallowed_methods, reason = "this is the bounded way")]
pub async fn read_within<B>(body: B, most: usize) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Ok(Limited::new(body, most).collect().await?.to_bytes())
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[tokio::test]
    async fn a_body_beyond_its_bound_is_refused() {
        let read = async |most| read_within(Full::from(Bytes::from_static(b"twelve bytes")), most).await;
        assert_eq!(read(12).await.unwrap(), "twelve bytes");
        assert!(read(11).await.is_err());
    }
}
