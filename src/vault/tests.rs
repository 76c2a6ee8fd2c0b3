use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use super::*;

/// Told to the process in which files may not be large.
const LIMITED: &str = "LEVADA_TEST_LIMITED";

fn octets(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|it| ((it * 31 + seed) % 251) as u8).collect()
}

#[test]
fn a_body_is_read_as_it_was_put_in_piece_by_piece() {
    let expected = octets(100_000, 1);
    let mut room = Room::take(100_000).expect("there is room");
    let first = room.put(&expected[..70_000]).expect("it fits");
    assert!(room.put(&expected).is_none(), "more than was asked for does not");
    let second = room.put(&expected[70_000..]).expect("it fits");
    let whole = room.all().expect("it is full");
    assert_eq!([first, second].concat(), expected);
    assert_eq!(whole, expected);
}

#[test]
fn a_body_that_is_not_full_is_none_and_small_or_huge_ones_stay_away() {
    let mut room = Room::take(100_000).expect("there is room");
    room.put(&octets(99_999, 1)).expect("it fits");
    assert!(room.all().is_none());
    assert!(Room::take(LEAST - 1).is_none());
    assert!(Room::take(SLOT + 1).is_none());
}

#[test]
fn a_slot_is_another_ones_only_when_nobody_reads_it() {
    let first = joined(&[octets(200_000, 1).into()]);
    let slice = first.slice(150_000..);
    drop(first);
    let others: Vec<_> = (2..20).map(|seed| joined(&[octets(200_000, seed).into()])).collect();
    assert_eq!(slice, octets(200_000, 1)[150_000..]);
    drop((slice, others));
    assert_eq!(joined(&[octets(100_000, 30).into()]), octets(100_000, 30));
}

#[test]
fn all_memory_is_given_back_and_all_slots_are_used_again() {
    let taken = || {
        let vault = vault().expect("there is one");
        rustix::fs::fstat(&vault.file).expect("it is there").st_blocks
    };
    let slots = || {
        let free = vault().expect("there is one").free();
        free.fresh as usize - free.returned.len()
    };
    let lengths = [LEAST, LEAST + 1, SLOW - 1, SLOW, SLOW + 4097, SLOT / 4 + 1, SLOT];
    let bodies: Vec<_> = lengths.iter().map(|it| joined(&[octets(*it as usize, 3).into()])).collect();
    assert!(bodies.iter().all(|it| place(it).is_some()) && taken() > 0);
    drop(bodies);
    while slots() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(taken(), 0);
}

#[test]
fn what_lies_in_the_vault_goes_to_a_socket_and_what_does_not_has_no_place() {
    let expected = octets(300_000, 7);
    let body = joined(&[expected[..1000].to_vec().into(), expected[1000..].to_vec().into()]);
    assert!(place(&expected).is_none());
    assert!(place(&body[..100]).is_none());
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let mut reader = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
    let (socket, _) = listener.accept().expect("somebody came");
    let sender = std::thread::spawn(move || {
        let mut rest = body.slice(1..);
        while let Some(place) = place(&rest) {
            let sent = send(&socket, place).expect("it is taken");
            rest = rest.slice(sent..);
        }
        rest
    });
    let mut got = vec![0; 299_999];
    let rest = {
        let mut filled = 0;
        while filled < got.len() {
            match reader.read(&mut got[filled..]).expect("it is read") {
                0 => break,
                more => filled += more,
            }
        }
        got.truncate(filled);
        sender.join().expect("it ends")
    };
    got.extend_from_slice(&rest);
    assert_eq!(got, expected[1..]);
}

#[test]
fn where_files_may_not_be_large_bodies_stay_where_they_were() {
    if std::env::var_os(LIMITED).is_some() {
        assert!(Room::take(100_000).is_none());
        assert_eq!(joined(&[octets(100_000, 1).into()]), octets(100_000, 1));
        return;
    }
    let me = std::env::current_exe().expect("it runs");
    let name = "vault::tests::where_files_may_not_be_large_bodies_stay_where_they_were";
    let limited = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 2048; exec \"$0\" \"$@\""])
        .arg(me)
        .args(["--exact", name])
        .env(LIMITED, "1")
        .output()
        .expect("there is a shell");
    assert!(limited.status.success(), "{limited:?}");
    assert!(String::from_utf8_lossy(&limited.stdout).contains("1 passed"), "{limited:?}");
}

#[test]
fn what_lies_there_is_in_no_picture_of_a_crash_and_in_no_huge_page() {
    let _there_is_one = joined(&[octets(100_000, 1).into()]);
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("it is there");
    let mapping = maps.split_once("/memfd:levada").expect("it is mapped").1;
    let flags = mapping.lines().find(|it| it.starts_with("VmFlags:")).expect("it has some");
    let has = |flag: &str| flags.split_ascii_whitespace().any(|it| it == flag);
    assert!(has("dd"), "{flags}");
    let knows_huge_pages = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
    assert!(has("nh") || !knows_huge_pages, "{flags}");
}

#[test]
fn an_octet_takes_a_page_and_gives_it_back() {
    let file = rustix::fs::memfd_create("levada", MemfdFlags::CLOEXEC).expect("there is memory");
    rustix::fs::ftruncate(&file, SLOT).expect("it may be so large");
    assert!((1..=LEAST).contains(&taken_by_an_octet(&file).expect("it is written")));
    assert_eq!(rustix::fs::fstat(&file).expect("it is there").st_blocks, 0);
}
