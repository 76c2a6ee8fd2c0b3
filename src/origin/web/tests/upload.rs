//! Viewers who bring a body and take their time.

use std::convert::Infallible;

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::oneshot;

use super::*;

/// A body of two pieces, the second of which comes when it is told to.
fn in_two(second: oneshot::Receiver<()>) -> Upload {
    let pieces = stream::unfold((0, second), |(at, mut second)| async move {
        let piece = match at {
            0 => "first",
            1 => {
                (&mut second).await.ok()?;
                "second"
            }
            _ => return None,
        };
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))), (at + 1, second)))
    });
    Upload::new(StreamBody::new(pieces))
}

fn post(second: oneshot::Receiver<()>) -> Question {
    question(Example::get("/a").method(Method::POST)).bringing(in_two(second))
}

#[tokio::test]
async fn a_viewer_who_stands_still_is_not_the_web_servers_fault() {
    let (settings, _) = web_server(&["silence"]).await;
    let settings = HttpOrigin { completion_timeout: Some(Duration::from_millis(500)), ..settings };
    let web = Web::new(settings);
    for _ in 0..5 {
        let (_never, second) = oneshot::channel();
        let failure = web.fetch(&post(second), &Ask::default()).await.err();
        assert_eq!(failure, Some(Failure::Dripping));
    }
    assert!(!web.is_out());
    assert_eq!(web.stats().failures.count(), 0);
}

#[tokio::test]
async fn a_viewer_may_pause_for_longer_than_the_web_server_may_be_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap().port());
    let (tell, second) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut body = Vec::new();
        read_head(&mut stream).await;
        while !body.ends_with(b"\r\n0\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(FOUND.as_bytes()).await.unwrap();
    });
    let patience = settings.connection_timeout + settings.read_timeout;
    tokio::spawn(async move {
        tokio::time::sleep(patience * 2).await;
        let _ = tell.send(());
    });
    assert_eq!(Web::new(settings).fetch(&post(second), &Ask::default()).await.unwrap().status, 200);
}
