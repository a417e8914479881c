//! The bytes of the marker, and claims that meet.

use super::*;
use crate::world::simulated::Simulation;
use object_store::memory::InMemory;

fn owner_of(number: u128) -> OwnerId {
    OwnerId(Ulid(number))
}

#[test]
fn the_bytes_are_as_documented() {
    let text = "{\n  \"format_version\": 1,\n  \"owner\": \"00000000000000000000000007\",\n  \"crc\": 2440441807\n}\n";
    assert_eq!(String::from_utf8(encode(owner_of(7))).expect("text"), text);
    assert_eq!(decode(MARKER, text.as_bytes()).expect("whole"), owner_of(7));
    // A later build of the same version may say more.
    let more = text.replace('{', "{\"note\": \"x\",");
    assert_eq!(decode(MARKER, more.as_bytes()).expect("whole"), owner_of(7));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = encode(owner_of(u128::MAX / 3));
    for position in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[position / 8] ^= 1 << (position % 8);
        match decode(MARKER, &flipped) {
            // White space and the case of the id say nothing.
            Ok(owner) => assert_eq!(owner, owner_of(u128::MAX / 3), "bit {position}"),
            // A flipped version is damage too: a start goes on, which one over a newer format does not.
            Err(error) => assert_eq!(error.kind(), Kind::Corrupt, "bit {position}: {error}"),
        }
    }
}

#[tokio::test]
async fn of_two_claims_one_holds() {
    let bucket = InMemory::new();
    let claims = [1, 2].map(|number| claim(&bucket, owner_of(number), Claim::Own));
    let [first, second] = claims;
    let (first, second) = futures::join!(first, second);
    assert!(first.is_ok() != second.is_ok());
    // Whoever holds it can claim it again, and create finds itself.
    let holder = owner_of(if first.is_ok() { 1 } else { 2 });
    claim(&bucket, holder, Claim::Own).await.expect("ours");
    create(&bucket, holder).await.expect("ours");
    create(&bucket, owner_of(3)).await.expect_err("another's");
    claim(&bucket, owner_of(3), Claim::TakeOver)
        .await
        .expect("taken over");
    claim(&bucket, holder, Claim::Own).await.expect_err("gone");
}

#[test]
fn a_folder_has_one_id_for_ever() {
    let simulation = Simulation::new(1);
    let world = simulation.world();
    let folder = Path::new("/data");
    world.disk.create_directories(folder).expect("made");
    let first = simulation.run(owner(&world, folder, None));
    let crate::world::simulated::Ended::Finished(Ok(first)) = first else {
        panic!("{first:?}");
    };
    simulation.cut_power();
    simulation.run(async {
        let again = async |of_catalog| owner(&world, folder, of_catalog).await;
        assert_eq!(again(None).await.expect("known"), first);
        assert_eq!(again(Some(first)).await.expect("known"), first);
        let error = again(Some(owner_of(9))).await.expect_err("two ids");
        assert_eq!(error.kind(), Kind::Invalid);
        world
            .disk
            .remove(&folder.join(OWNER_FILE))
            .expect("removed");
        assert_eq!(again(Some(first)).await.expect("by the catalog"), first);
        assert_eq!(again(None).await.expect("by the file"), first);
    });
}
