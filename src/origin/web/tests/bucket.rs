//! What a store says that gives no object, and keys that are renewed.

use std::path::Path;

use super::*;

/// What S3 says to a key that was lent for too long.
const EXPIRED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/xml\r\nx-amz-request-id: 1\r\n\
    cache-control: max-age=2\r\ncontent-length: 114\r\nconnection: close\r\n\r\n\
    <?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>It expired.</Message><Token-0>lent</Token-0></Error>";

fn write_key(directory: &Path, id: &str) {
    let text = format!("[films]\naws_access_key_id = {id}\naws_secret_access_key = secret\n");
    std::fs::write(directory.join("keys"), text).unwrap();
}

async fn get(web: &Web) -> Result<Fetched, Failure> {
    let question = web.question(&Example::get("/a.ts").admitted(), "levada-1");
    web.fetch(&question, &Ask::default()).await
}

fn credentials(heads: &Heads) -> Vec<String> {
    let id = |head: &String| Some(head.split_once("credential=")?.1.split_once('/')?.0.to_owned());
    heads.lock().unwrap().iter().filter_map(id).collect()
}

#[tokio::test]
async fn nothing_that_a_bucket_says_beside_an_object_reaches_viewers() {
    let directory = tempfile::tempdir().unwrap();
    for (answer, status, sentence) in [
        (EXPIRED, 400, "the bucket refused the request\n"),
        (
            "HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthenticationFailed\r\n\r\n<Error>lent</Error>",
            403,
            "the bucket refused the request\n",
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\nlent", 404, "the bucket has no such object\n"),
        ("HTTP/1.1 503 Slow Down\r\n\r\nlent", 503, "the bucket did not give the object\n"),
        ("HTTP/1.1 301 Moved\r\nlocation: http://lent\r\n\r\n", 301, "the bucket did not give the object\n"),
    ] {
        let (settings, _) = web_server(&[answer]).await;
        let fetched = get(&Web::bucket(&bucket(settings, directory.path()))).await.unwrap();
        assert_eq!(fetched.status, status);
        assert_eq!(fetched.headers["content-type"], "text/plain; charset=utf-8");
        let told: Vec<_> = fetched.headers.keys().map(|it| it.as_str()).collect();
        let told_of_ages =
            if status == 400 { &["content-type", "cache-control"][..] } else { &["content-type"] };
        assert_eq!(told, told_of_ages);
        assert_eq!(fetched.length, Some(sentence.len() as u64));
        assert_eq!(body(fetched).await.unwrap(), sentence.as_bytes());
    }
}

#[tokio::test]
async fn keys_that_were_written_anew_sign_from_then_on() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, heads) = web_server(&[FOUND]).await;
    let web = Web::bucket(&bucket(settings, directory.path()));
    write_key(directory.path(), "renewed");
    assert!(get(&web).await.is_ok());
    assert_eq!(credentials(&heads), ["renewed"]);
}

#[tokio::test]
async fn a_bucket_without_keys_is_asked_once_they_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, heads) = web_server(&[FOUND]).await;
    let meant = bucket(settings, directory.path());
    std::fs::remove_file(directory.path().join("keys")).unwrap();
    let web = Web::bucket(&meant);
    write_key(directory.path(), "late");
    assert!(get(&web).await.is_ok());
    assert_eq!(credentials(&heads), ["late"]);
}

#[tokio::test]
async fn who_was_refused_while_the_key_was_renewed_asks_once_more() {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let meant = bucket(settings(listener.local_addr().unwrap().port()), directory.path());
    let web = Arc::new(Web::bucket(&meant));
    let heads = Heads::default();
    let (store, seen, keys) = (Arc::clone(&web), Arc::clone(&heads), directory.path().to_owned());
    tokio::spawn(async move {
        for answer in [EXPIRED, FOUND, EXPIRED] {
            let (stream, _) = listener.accept().await.unwrap();
            if seen.lock().unwrap().is_empty() {
                write_key(&keys, "renewed");
                // Somebody else's request found it meanwhile.
                store.bucket.as_ref().unwrap().look();
            }
            converse(stream, answer, &seen).await;
        }
    });
    assert_eq!(get(&web).await.unwrap().status, 200);
    assert_eq!(credentials(&heads), ["id", "renewed"]);
    // With the same key there is no other answer.
    assert_eq!(get(&web).await.unwrap().status, 400);
    assert_eq!(credentials(&heads), ["id", "renewed", "renewed"]);
}
