//! A log cut at every byte, with every byte flipped, and of an earlier version.

use super::*;
use crate::{
    signal::Encoding,
    time::Nanos,
    wal::writer::{Settings, Start, Wal},
    world::simulated::{Ended, Simulation},
};

const FRAMES: u64 = 12;

fn directory() -> &'static Path {
    Path::new("/wal")
}

/// Half of the payloads hold what looks like a frame of their own log.
fn request(index: u64) -> Request {
    let mut payload = vec![index as u8; 20];
    if index.is_multiple_of(2) {
        payload.extend(FRAME_MAGIC);
        payload.extend([1; 90]);
    }
    Request {
        tenant: "shop".parse().expect("valid"),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 1,
        received: Nanos(index as i64),
        digest: u128::from(index),
        refusals: Vec::new(),
        payload: payload.into(),
    }
}

/// One file of `FRAMES` frames, each with an fsync of its own; its name, bytes and where frames end.
fn log() -> (FileName, Vec<u8>, Vec<u64>) {
    let simulation = Simulation::new(11);
    let world = simulation.world();
    world.disk.create_directories(directory()).expect("made");
    let ended = simulation.run(async {
        let settings = Settings {
            zero_fill_bytes: 512,
            ..Settings::new(directory().into(), 1 << 20)
        };
        let start = Start {
            epoch: 1,
            next_sequence: 1,
            files: Vec::new(),
        };
        let (wal, writer) = Wal::new(simulation.world(), settings, start, |_| {});
        tokio::spawn(writer.run());
        let mut ends = Vec::new();
        for index in 1..=FRAMES {
            wal.append(request(index), ())
                .await
                .expect("the disk works");
            ends.push(wal.bytes());
        }
        wal.close().await;
        ends
    });
    let Ended::Finished(ends) = ended else {
        panic!("nobody stopped it")
    };
    let name = world.disk.list(directory()).expect("listed").remove(0);
    let file = world
        .disk
        .open_read(&directory().join(&name))
        .expect("there");
    let bytes = file.read_at(0, usize::MAX).expect("read").to_vec();
    (FileName::parse(&name).expect("as written"), bytes, ends)
}

/// What a replay finds in files of these bytes.
fn replayed(files: &[(FileName, &[u8])]) -> (Vec<u64>, Replayed) {
    let world = Simulation::new(1).world();
    world.disk.create_directories(directory()).expect("made");
    for (name, bytes) in files {
        let file = world
            .disk
            .create(&directory().join(name.to_string()))
            .expect("created");
        file.write_at(0, bytes).expect("written");
    }
    let mut sequences = Vec::new();
    let found = replay(&world, directory(), 0, &mut |frame| {
        assert_eq!(frame.request, request(frame.sequence), "a frame changed");
        sequences.push(frame.sequence);
        Ok(())
    });
    (sequences, found.expect("readable"))
}

#[test]
fn names_and_headers_come_back() {
    let (name, bytes, _) = log();
    let bytes = Bytes::from(bytes);
    let (header, length) = Header::decode(&bytes).expect("whole");
    assert_eq!((header.name, header.ended.len(), length), (name, 0, 56));
    let ended = BTreeMap::from([(1, 700), (2, 0)]);
    let other = Header { ended, ..header };
    let encoded = Bytes::from(other.encode());
    assert_eq!(Header::decode(&encoded), Ok((other, encoded.len())));
    for bad in [
        "x.wal",
        "0000-1-1-1.wal",
        "0000-00000000000000000001-0000000001-1.tmp",
        "",
    ] {
        assert_eq!(FileName::parse(bad), None, "{bad}");
    }
}

#[test]
fn cut_at_every_byte_the_whole_frames_come_back() {
    let (name, bytes, ends) = log();
    let last = *ends.last().expect("not empty") as usize;
    let three_before = ends[FRAMES as usize - 4] as usize;
    for cut in three_before..=last + 100 {
        let cut = cut.min(bytes.len());
        let (sequences, found) = replayed(&[(name, &bytes[..cut])]);
        let whole = ends.iter().filter(|end| **end as usize <= cut).count() as u64;
        assert_eq!(sequences, (1..=whole).collect::<Vec<_>>(), "cut at {cut}");
        let clean = cut >= last || ends.contains(&(cut as u64));
        let kinds: Vec<DamageKind> = found.damage.iter().map(|damage| damage.kind).collect();
        let expected = if clean {
            vec![]
        } else {
            vec![DamageKind::TornTail]
        };
        assert_eq!(kinds, expected, "cut at {cut}");
        assert_eq!(found.files[0].bytes, ends[whole as usize - 1]);
    }
}

#[test]
fn zeroed_from_every_byte_the_frames_before_come_back() {
    let (name, bytes, ends) = log();
    let last = *ends.last().expect("not empty") as usize;
    for from in ends[FRAMES as usize - 3] as usize..last {
        let mut zeroed = bytes.clone();
        zeroed[from..].fill(0);
        let (sequences, found) = replayed(&[(name, &zeroed)]);
        let whole = ends.iter().filter(|end| **end as usize <= from).count() as u64;
        assert_eq!(
            sequences,
            (1..=whole).collect::<Vec<_>>(),
            "zero from {from}"
        );
        assert!(
            found
                .damage
                .iter()
                .all(|damage| damage.kind == DamageKind::TornTail)
        );
    }
}

#[test]
fn every_flipped_byte_is_reported_and_costs_one_frame() {
    let (name, bytes, ends) = log();
    let last = *ends.last().expect("not empty") as usize;
    for at in 0..last {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x40;
        let (sequences, found) = replayed(&[(name, &flipped)]);
        let hit = ends
            .iter()
            .position(|end| at < *end as usize)
            .expect("before the end") as u64
            + 1;
        if at < 56 {
            assert_eq!(sequences, (1..=FRAMES).collect::<Vec<_>>(), "flip at {at}");
            assert_eq!(found.damage[0].kind, DamageKind::FileHeader, "flip at {at}");
            assert!(!found.files[0].damaged);
            continue;
        }
        let expected: Vec<u64> = (1..=FRAMES).filter(|sequence| *sequence != hit).collect();
        assert_eq!(sequences, expected, "flip at {at}");
        assert_eq!(found.damage.len(), 1, "flip at {at}: {:?}", found.damage);
        // Nothing later proves that the last frame was durable.
        let torn = hit == FRAMES;
        let kind = if torn {
            DamageKind::TornTail
        } else {
            DamageKind::Corrupt
        };
        assert_eq!(found.damage[0].kind, kind, "flip at {at}");
        assert_eq!(found.files[0].damaged, !torn);
        if let Some(lost) = &found.damage[0].lost {
            assert_eq!(lost.sequence, hit);
        }
    }
}

#[test]
fn a_later_file_proves_the_end_of_an_earlier_one() {
    let (name, mut bytes, ends) = log();
    let last = *ends.last().expect("not empty");
    let next = FileName {
        id: FileId {
            number: name.id.number + 1,
            ..name.id
        },
        key: 5,
        ..name
    };
    let header = |acknowledged| {
        let ended = BTreeMap::from([(name.id.number, acknowledged)]);
        Header {
            name: next,
            created: Nanos(0),
            ended,
        }
        .encode()
    };
    // Given up before its last frame: that one was never acknowledged.
    let (sequences, found) =
        replayed(&[(name, &bytes), (next, &header(ends[FRAMES as usize - 2]))]);
    assert_eq!(sequences, (1..FRAMES).collect::<Vec<_>>());
    assert_eq!(found.damage[0].kind, DamageKind::GivenUp);
    // Its sequence is never given again, all the same.
    assert_eq!(found.last_sequence, FRAMES);
    assert!(found.files[0].abandoned && !found.files[0].damaged);
    // Acknowledged to its end: damage in the last frame is no torn tail.
    bytes[last as usize - 1] ^= 1;
    let (sequences, found) = replayed(&[(name, &bytes), (next, &header(last))]);
    assert_eq!(sequences, (1..FRAMES).collect::<Vec<_>>());
    assert_eq!(found.damage[0].kind, DamageKind::Corrupt);
    assert_eq!(
        found.damage[0].lost.as_ref().map(|lost| lost.sequence),
        Some(FRAMES)
    );
}

#[test]
fn other_files_and_other_shards_are_left_alone() {
    let (name, bytes, _) = log();
    let other = FileName { shard: 1, ..name };
    let (sequences, found) = replayed(&[(other, &bytes)]);
    assert_eq!((sequences.len(), found), (0, Replayed::default()));
}

/// A file made from `docs/formats/wal.md` by another program: it must open for ever.
#[test]
fn a_file_of_version_1_opens() {
    let name = "0000-00000000000000000007-0000000002-0123456789abcdef.wal";
    let bytes =
        include_bytes!("../../../golden/0000-00000000000000000007-0000000002-0123456789abcdef.wal");
    let world = Simulation::new(1).world();
    world.disk.create_directories(directory()).expect("made");
    let file = world.disk.create(&directory().join(name)).expect("created");
    file.write_at(0, bytes).expect("written");
    let mut frames = Vec::new();
    let found = replay(&world, directory(), 0, &mut |frame| {
        frames.push(frame);
        Ok(())
    });
    let found = found.expect("readable");
    assert_eq!(
        (found.damage, found.last_epoch, found.last_sequence),
        (Vec::new(), 7, 42)
    );
    let refusal = |ordinal, reason, detail: &str| crate::append::Refusal {
        ordinal,
        reason,
        detail: detail.to_string(),
    };
    let first = Request {
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        decoder_version: 3,
        received: Nanos(1_767_225_600_000_000_001),
        digest: 0x1111,
        refusals: Vec::new(),
        payload: Bytes::from_static(b"\x0a\x00"),
    };
    let second = Request {
        tenant: "shop-1".parse().expect("valid"),
        signal: Signal::Spans,
        encoding: Encoding::OtlpJson,
        decoder_version: 3,
        received: Nanos(-5),
        digest: u128::MAX,
        refusals: vec![
            refusal(0, crate::append::Reason::TooOld, "älter"),
            refusal(9, crate::append::Reason::TooManySeries, ""),
        ],
        payload: Bytes::from_static(b"{\"resourceSpans\":[]}"),
    };
    let expected = [(41, first), (42, second)].map(|(sequence, request)| Frame {
        epoch: 7,
        sequence,
        request,
    });
    assert_eq!(frames, expected);
}
