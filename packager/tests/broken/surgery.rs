//! How sound films are broken.

/// Pictures and sound; the header stands behind the media, so that it may change its size.
pub(crate) const FILM: &[u8] = include_bytes!("../media/bframes.mp4");
/// The same with the header in front.
pub(crate) const FAST: &[u8] = include_bytes!("../media/faststart.mp4");
/// The same in fragments.
pub(crate) const FRAGMENTS: &[u8] = include_bytes!("../media/fragmented.mp4");

/// Containers on the way to the tables of the first track, which are those of the pictures.
pub(crate) const STBL: [&str; 5] = ["moov", "trak", "mdia", "minf", "stbl"];

/// A box, for what no film has.
pub(crate) fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 8).to_be_bytes(), kind.as_bytes(), body].concat()
}

/// Where the first box of a kind begins.
pub(crate) fn at(film: &[u8], kind: &str) -> usize {
    film.windows(4).position(|it| it == kind.as_bytes()).expect("the film has it") - 4
}

/// A film with other octets at a place.
pub(crate) fn patched(film: &[u8], at: usize, octets: &[u8]) -> Vec<u8> {
    [&film[..at], octets, &film[at + octets.len()..]].concat()
}

/// A film whose first box of a kind says another size.
pub(crate) fn sized(film: &[u8], kind: &str, size: u32) -> Vec<u8> {
    patched(film, at(film, kind), &size.to_be_bytes())
}

/// The film with the first box of a path changed, body and all; sizes around it are right again.
pub(crate) fn with(path: &[&str], change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    rebuilt(FILM, path, &|kind, body| boxed(kind, &change(body)))
}

/// The film without the first box of a path.
pub(crate) fn without(path: &[&str]) -> Vec<u8> {
    rebuilt(FILM, path, &|_, _| Vec::new())
}

/// The film with what stands in its first `stbl` in the place of one of its boxes changed.
pub(crate) fn table(kind: &str, change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    with(&[&STBL[..], &[kind]].concat(), change)
}

fn rebuilt(octets: &[u8], path: &[&str], replace: &dyn Fn(&str, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let (wanted, inner) = path.split_first().expect("a path has steps");
    let (mut rest, mut done, mut all) = (octets, false, Vec::new());
    while let Some(size) = rest.first_chunk::<4>().map(|it| u32::from_be_bytes(*it) as usize) {
        let (this, behind) = rest.split_at(size);
        let kind = std::str::from_utf8(&this[4..8]).expect("types are letters");
        let body = &this[8..];
        if kind != *wanted || done {
            all.extend_from_slice(this);
        } else if inner.is_empty() {
            all.extend(replace(kind, body));
            done = true;
        } else {
            all.extend(boxed(kind, &rebuilt(body, inner, replace)));
            done = true;
        }
        rest = behind;
    }
    assert!(done, "the film has {path:?}");
    all
}
