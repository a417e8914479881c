//! Dead letters -> rows, after what was wrong is mended.
//!
//! Each letter is first judged alone, as any request is: what is still bad stays what it is. The others go together
//! into requests of the ordinary pipeline that name their letters, so that the row and the mark that it was a letter
//! become durable and visible in one step. Whoever calls must see to it that no letter is offered by two at once.

use crate::{
    admit,
    error::{Error, Result},
    otlp::{self, Offer},
    pipeline::{Pipeline, Request},
};
use bytes::{Bytes, BytesMut};
use cairn_storage::{
    append::{Decoded, Envelope, LetterId, Reason, Rejected, Replayed},
    id::TenantId,
    refuse,
    signal::{Encoding, Signal},
    time::Nanos,
};

/// Bytes that one request of letters may have, unless one letter is larger.
const REQUEST_BYTES: usize = 4 << 20;

/// A dead letter as it was read from `dead_letters`.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: LetterId,
    pub signal: Signal,
    pub reason: Reason,
    /// When it was received first.
    pub received: Nanos,
    /// Its own bytes; of a letter that was a whole request, the request.
    pub record: Bytes,
    pub envelope: Option<Envelope>,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is a row now.
    Stored,
    /// It is still bad.
    Bad { reason: Reason, detail: String },
    /// What it stood in was not kept, so nobody can tell what it would be a row of.
    Alone,
}

/// Letters that make one request.
struct Group {
    signal: Signal,
    /// When its records were received first, where they have no time of their own.
    untimed: Option<Nanos>,
    letters: Vec<Replayed>,
    request: BytesMut,
    /// Records in it.
    records: u32,
    /// A letter of several records has a request of its own, in which some of them may be refused again.
    is_whole: bool,
}

/// A letter that is sound.
struct Sound {
    request: Bytes,
    untimed: Option<Nanos>,
    records: u32,
    /// The place of its first record that becomes a row.
    first: u32,
}

impl Pipeline {
    /// Offers letters of `tenant` again; what became of each, in their order.
    ///
    /// An error ends it: letters that became rows before are marked, and the others are offered by the next call.
    pub async fn replay(&self, tenant: &TenantId, letters: Vec<Letter>) -> Result<Vec<Fate>> {
        let now = self.store.world().clock.now();
        let bytes: usize = letters.iter().map(|letter| letter.record.len()).sum();
        let _memory = self.store.budget().reserve(bytes as u64)?;
        let limits = self.limits;
        let judge = move || {
            let judged = letters.iter().map(|letter| judge(letter, &limits, now));
            let judged = judged.collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>(gather(&letters, judged))
        };
        let judged = self.store.world().blocking(judge).await;
        let (groups, fates) = judged.map_err(|_| Error::Panicked)??;
        for group in groups {
            self.offer(tenant, group, now).await?;
        }
        Ok(fates)
    }

    async fn offer(&self, tenant: &TenantId, group: Group, now: Nanos) -> Result<()> {
        let offer = Offer {
            received: group.untimed.unwrap_or(now),
            letters: group.letters,
            request: group.request.freeze(),
        };
        let payload = offer.write();
        let request = Request {
            tenant: tenant.clone(),
            signal: group.signal,
            encoding: Encoding::Replay,
            memory: self.store.budget().reserve(payload.len() as u64)?,
            payload,
        };
        self.ingest_at(request, now).await.map(drop)
    }
}

/// What a letter is today: sound, or its fate.
fn judge(letter: &Letter, limits: &admit::Limits, now: Nanos) -> Result<Result<Sound, Fate>> {
    let request = match (&letter.envelope, letter.reason) {
        (Some(envelope), _) => otlp::request(envelope, &letter.record),
        // The whole request.
        (None, Reason::Undecodable) => letter.record.clone(),
        (None, _) => return Ok(Err(Fate::Alone)),
    };
    let bad = |reason, detail| Ok(Err(Fate::Bad { reason, detail }));
    let version = otlp::DECODER_VERSION;
    let (signal, encoding) = (letter.signal, Encoding::OtlpProtobuf);
    let mut decoded = match otlp::decode(signal, encoding, version, &request, letter.received) {
        Ok(decoded) => decoded,
        Err(error) => return bad(letter.reason, error.to_string()),
    };
    let refusals = admit::admit(&decoded, limits, now);
    refuse::refuse(&mut decoded, &refusals, Vec::new())?;
    let Decoded {
        offered,
        untimed,
        rejected,
        ..
    } = decoded;
    // What the letter stands in is sound here, so a request without records is one without anything to keep.
    let Some(first) = first_stored(offered, &rejected) else {
        return match rejected.into_iter().next() {
            Some(Rejected { reason, detail, .. }) => bad(reason, detail),
            None => bad(letter.reason, "it holds no record".to_string()),
        };
    };
    Ok(Ok(Sound {
        request,
        untimed: untimed.then_some(letter.received),
        records: u32::try_from(offered).unwrap_or(u32::MAX),
        first,
    }))
}

/// The ordinal of the first record that is not rejected.
fn first_stored(offered: u64, rejected: &[Rejected]) -> Option<u32> {
    // They are sorted by ordinal.
    let gap = rejected
        .iter()
        .zip(0_u32..)
        .find(|(rejected, at)| rejected.ordinal != *at);
    let first = gap.map_or(rejected.len() as u32, |(_, at)| at);
    (u64::from(first) < offered).then_some(first)
}

/// The requests that sound letters make together, and the fate of every letter once they are stored.
fn gather(letters: &[Letter], judged: Vec<Result<Sound, Fate>>) -> (Vec<Group>, Vec<Fate>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut fates = Vec::with_capacity(letters.len());
    for (letter, judged) in letters.iter().zip(judged) {
        let sound = match judged {
            Ok(sound) => sound,
            Err(fate) => {
                fates.push(fate);
                continue;
            }
        };
        fates.push(Fate::Stored);
        let is_whole = sound.records != 1;
        let joins = |group: &&mut Group| {
            let fits = group.request.len() + sound.request.len() <= REQUEST_BYTES;
            let alike = (group.signal, group.untimed) == (letter.signal, sound.untimed);
            alike && fits && !is_whole && !group.is_whole
        };
        let group = match groups.last_mut().filter(joins) {
            Some(group) => group,
            None => {
                groups.push(Group {
                    signal: letter.signal,
                    untimed: sound.untimed,
                    letters: Vec::new(),
                    request: BytesMut::new(),
                    records: 0,
                    is_whole,
                });
                groups.last_mut().expect("one was just added")
            }
        };
        group.letters.push(Replayed {
            letter: letter.id,
            reason: letter.reason,
            ordinal: group.records + sound.first,
        });
        group.request.extend_from_slice(&sound.request);
        group.records += sound.records;
    }
    (groups, fates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(ordinal: u32) -> Rejected {
        Rejected {
            ordinal,
            reason: Reason::TooOld,
            detail: String::new(),
            record: Bytes::new(),
            envelope: None,
        }
    }

    #[test]
    fn the_first_record_that_is_kept() {
        for (offered, bad, first) in [
            (0, &[][..], None),
            (1, &[], Some(0)),
            (1, &[0], None),
            (3, &[0, 1], Some(2)),
            (3, &[1, 2], Some(0)),
            (3, &[0, 2], Some(1)),
            (2, &[0, 1], None),
        ] {
            let rejected: Vec<Rejected> = bad.iter().map(|ordinal| rejected(*ordinal)).collect();
            assert_eq!(first_stored(offered, &rejected), first, "{offered} {bad:?}");
        }
    }
}
