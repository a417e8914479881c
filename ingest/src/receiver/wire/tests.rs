//! Pace and size of bodies, by a clock of the test's own.

use super::*;
use crate::error::Kind;
use cairn_storage::time::Nanos;
use futures::{StreamExt, future::BoxFuture, stream};
use parking_lot::Mutex;

/// A clock that stands still but for those who wait: every wait is over at once, and then it is that much later.
#[derive(Default)]
struct Impatient {
    now: Arc<Mutex<Duration>>,
}

impl Clock for Impatient {
    fn now(&self) -> Nanos {
        Nanos(0).plus(*self.now.lock())
    }

    fn monotonic(&self) -> Duration {
        *self.now.lock()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let now = self.now.clone();
        Box::pin(async move { *now.lock() += duration })
    }
}

fn wire(clock: &Arc<Impatient>, body: Body, config: &Config) -> Wire {
    Wire::new(body, config, clock.clone())
}

/// A body that sends `chunks`, each `seconds` after the one before, and never ends.
fn dripping(clock: &Arc<Impatient>, chunks: Vec<Bytes>, seconds: u64) -> Body {
    let now = clock.now.clone();
    let chunks = stream::iter(chunks).then(move |chunk| {
        let now = now.clone();
        async move {
            *now.lock() += Duration::from_secs(seconds);
            // Not ready at once, so that the reader has to wait.
            tokio::task::yield_now().await;
            Ok::<_, std::io::Error>(chunk)
        }
    });
    Body::from_stream(chunks.chain(stream::pending()))
}

/// Reads until the end or an error; how many bytes came, how late it was, and the error.
async fn read(mut wire: Wire, clock: &Impatient) -> (u64, u64, Option<Error>) {
    let error = loop {
        match wire.next().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    (wire.received_bytes(), clock.monotonic().as_secs(), error)
}

#[tokio::test]
async fn a_body_that_stops_is_given_up_after_the_grace() {
    let clock = Arc::new(Impatient::default());
    let body = dripping(&clock, vec![Bytes::from_static(b"begin")], 0);
    let (bytes, seconds, error) = read(wire(&clock, body, &Config::default()), &clock).await;
    assert_eq!((bytes, seconds), (5, 10));
    let error = error.expect("it never ends");
    assert_eq!(error.kind(), Kind::TooSlow);
    assert!(error.to_string().contains("5 bytes in 10 s"), "{error}");
}

/// A kilobyte a second keeps a body alive until its whole time is over.
#[tokio::test]
async fn pace_and_whole_time() {
    let config = Config::default();
    let kilobyte = Bytes::from(vec![0; 1024]);
    let clock = Arc::new(Impatient::default());
    let body = dripping(&clock, vec![kilobyte.clone(); 100], 1);
    let (bytes, seconds, error) = read(wire(&clock, body, &config), &clock).await;
    assert_eq!(bytes, 60 * 1024, "{error:?}");
    // The last chunk was on its way for a second when the time was over.
    assert!((60..=61).contains(&seconds), "{seconds} s");
    assert_eq!(error.map(|e| e.kind()), Some(Kind::TooSlow));

    let clock = Arc::new(Impatient::default());
    let body = dripping(&clock, vec![kilobyte; 100], 3);
    let (bytes, seconds, error) = read(wire(&clock, body, &config), &clock).await;
    assert!(
        bytes < 8 * 1024 && seconds < 20,
        "{bytes} bytes in {seconds} s"
    );
    assert_eq!(error.map(|e| e.kind()), Some(Kind::TooSlow));
}

#[tokio::test]
async fn more_than_the_limit_is_not_read() {
    let config = Config {
        max_request_bytes: 1 << 20,
        ..Config::default()
    };
    let clock = Arc::new(Impatient::default());
    let limit = wire(&clock, Body::empty(), &config).limit_bytes();
    assert!(
        (1 << 20..(1 << 20) + (100 << 10)).contains(&limit),
        "{limit}"
    );

    let declared = wire(&clock, Body::from(vec![0; limit as usize + 1]), &config);
    assert_eq!(
        declared.check_declared_length().map_err(|e| e.kind()),
        Err(Kind::TooLarge)
    );
    let declared = wire(&clock, Body::from(vec![0; limit as usize]), &config);
    assert!(declared.check_declared_length().is_ok());
    let (bytes, _, error) = read(declared, &clock).await;
    assert!(bytes == limit && error.is_none(), "{error:?}");

    // Nothing is declared, and it goes on for ever.
    let chunk = Bytes::from(vec![0; 64 << 10]);
    let endless = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    let (bytes, _, error) = read(wire(&clock, Body::from_stream(endless), &config), &clock).await;
    assert!(bytes <= limit + (64 << 10), "{bytes}");
    assert_eq!(error.map(|e| e.kind()), Some(Kind::TooLarge));
}

#[tokio::test]
async fn a_broken_body_is_an_error_of_the_client() {
    let clock = Arc::new(Impatient::default());
    let broken = stream::iter([
        Ok(Bytes::from_static(b"a")),
        Err(std::io::Error::other("gone")),
    ]);
    let body = Body::from_stream(broken);
    let (bytes, _, error) = read(wire(&clock, body, &Config::default()), &clock).await;
    assert_eq!(bytes, 1);
    assert_eq!(error.map(|e| e.kind()), Some(Kind::Invalid));
}

#[tokio::test]
async fn draining_ends() {
    let clock = Arc::new(Impatient::default());
    let chunk = Bytes::from(vec![0; 64 << 10]);
    let endless = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    wire(&clock, Body::from_stream(endless), &Config::default())
        .drain()
        .await;
    wire(&clock, dripping(&clock, Vec::new(), 0), &Config::default())
        .drain()
        .await;
}
