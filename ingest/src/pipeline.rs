//! A request's bytes -> rows that are durable: transcode where they are JSON or translate where they are no OTLP,
//! decode, admit, append.

use crate::{
    admit::{self, Limits},
    config::Config,
    decode,
    dialect::{self, Places, Source, Translated},
    error::{Error, Result},
    lines::{self, LineForm},
    otlp::{self, json},
    prometheus::{self, Families, KnownFamilies},
};
use bytes::Bytes;
use cairn_storage::{
    append::{Answer, Append, Decoded, Outcome, Refusal, Rejected},
    budget::Reservation,
    id::TenantId,
    refuse,
    signal::{Encoding, Signal, Table},
    store::Store,
    time::Nanos,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// Larger requests are decoded off the async threads: this much takes about a tenth of a millisecond, as much as
/// handing it over.
const INLINE_BYTES: usize = 64 << 10;

/// Rows take about this many times the bytes of their request; set aside before decoding, corrected after.
const ROWS_PER_PAYLOAD: u64 = 2;

/// The way of every request into the store.
pub struct Pipeline {
    pub(crate) store: Arc<Store>,
    pub(crate) limits: Limits,
    max_request_bytes: u64,
    /// What metadata of Prometheus said about series that come without it.
    families: KnownFamilies,
}

/// The rows that a request made: what Remote-Write 2.0 tells its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    pub samples: u64,
    pub histograms: u64,
    pub exemplars: u64,
}

/// One request, whole and decompressed, of a sender who may send.
#[derive(Debug)]
pub struct Request {
    pub tenant: TenantId,
    pub signal: Signal,
    pub encoding: Encoding,
    pub payload: Bytes,
    /// What was taken from the store's budget for `payload`.
    pub memory: Reservation,
}

/// Logs of a sender who may send, whole and decompressed, written as `source` says.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) tenant: TenantId,
    pub(crate) source: Source,
    pub(crate) payload: Bytes,
    /// What was taken from the store's budget for `payload`.
    pub(crate) memory: Reservation,
}

/// What became of such logs, record by record.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) outcome: Outcome,
    /// Records offered.
    pub(crate) offered: u64,
    /// Every record that was not stored, in the order of their ordinals.
    pub(crate) refused: Vec<Refusal>,
    pub(crate) places: Places,
    pub(crate) took: Duration,
    /// What `places` take.
    _memory: Reservation,
}

/// A request on its way to the store, in protobuf.
struct Admitted {
    request: Request,
    decoded: Decoded,
    refusals: Vec<Refusal>,
    written: Written,
    /// What the client is told where the request holds nothing.
    notice: Option<String>,
}

/// The limits that a request meets while it becomes rows.
#[derive(Clone, Copy)]
struct Bounds {
    limits: Limits,
    max_request_bytes: u64,
    received: Nanos,
}

impl Pipeline {
    /// A pipeline into `store` with the limits of `config`.
    pub fn new(store: Arc<Store>, config: &Config) -> Pipeline {
        Pipeline {
            store,
            limits: Limits::new(config),
            max_request_bytes: config.max_request_bytes,
            families: KnownFamilies::default(),
        }
    }

    /// Stores a request and returns when it is durable, with what became of its records.
    ///
    /// Errors are of the request as a whole, and then nothing of it is stored. When the caller stops waiting,
    /// all of it is stored or nothing.
    pub async fn ingest(&self, request: Request) -> Result<Outcome> {
        let received = self.store.world().clock.now();
        self.ingest_at(request, received).await
    }

    /// [`Pipeline::ingest`] of what was received at `received`.
    pub(crate) async fn ingest_at(&self, request: Request, received: Nanos) -> Result<Outcome> {
        let (outcome, _) = self.ingest_counted(request, received).await?;
        Ok(outcome)
    }

    /// [`Pipeline::ingest`] of what was received at `received`, and the rows that it made. Of a retry these are the rows
    /// that the first one made.
    pub(crate) async fn ingest_counted(
        &self,
        request: Request,
        received: Nanos,
    ) -> Result<(Outcome, Written)> {
        let admitted = self.decode_and_admit(request, received).await?;
        let written = admitted.written;
        if admitted.decoded.offered == 0 {
            // Nothing to make durable, so nothing to wait for (OTLP: an empty request is a success).
            return Ok((nothing(self.store.sequence(), admitted.notice), written));
        }
        Ok((self.append(admitted, received).await?, written))
    }

    /// The request that lines of text mean, with how many fields in them are texts and were left out. `request` holds the
    /// lines; what was reserved for them is given back.
    pub(crate) async fn transcode_lines(
        &self,
        request: Request,
        form: LineForm,
        received: Nanos,
    ) -> Result<(Request, u64)> {
        let mut memory = self.store.budget().empty();
        let limit_bytes = self.max_request_bytes;
        let length = request.payload.len();
        let work = move || {
            let to = (limit_bytes, &mut memory);
            let transcoded = lines::transcode(form, &request.payload, received, to)?;
            let request = Request {
                encoding: Encoding::Samples,
                payload: transcoded.payload.into(),
                memory,
                ..request
            };
            Ok((request, transcoded.skipped_texts))
        };
        self.run(length, work).await
    }

    /// Runs `work` on `length` bytes: here, or off the async threads where that takes long.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        length: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = if length > INLINE_BYTES {
            let world = self.store.world();
            world.blocking(work).await.map_err(|_| Error::Panicked)
        } else {
            // One request that finds a bug of ours must not take the connection's others with it.
            catch_unwind(AssertUnwindSafe(work)).map_err(|_| Error::Panicked)
        };
        done?
    }

    /// Stores logs of another form than OTLP, and returns when they are durable, with what became of each.
    ///
    /// Errors as [`Pipeline::ingest`].
    pub(crate) async fn ingest_foreign(&self, foreign: Foreign) -> Result<Taken> {
        let clock = &self.store.world().clock;
        let began = clock.monotonic();
        let bounds = self.bounds(clock.now());
        let length = foreign.payload.len();
        let memory = self.store.budget().empty();
        let work = move || translate(foreign, bounds, memory);
        let (admitted, places, memory) = self.run(length, work).await?;
        let offered = admitted.decoded.offered;
        let told = |rejected: &Rejected| Refusal {
            ordinal: rejected.ordinal,
            reason: rejected.reason,
            detail: rejected.detail.clone(),
        };
        let refused = admitted.decoded.rejected.iter().map(told).collect();
        let outcome = match offered {
            0 => nothing(self.store.sequence(), None),
            _ => self.append(admitted, bounds.received).await?,
        };
        Ok(Taken {
            outcome,
            offered,
            refused,
            places,
            took: clock.monotonic().saturating_sub(began),
            _memory: memory,
        })
    }

    fn bounds(&self, received: Nanos) -> Bounds {
        Bounds {
            limits: self.limits,
            max_request_bytes: self.max_request_bytes,
            received,
        }
    }

    /// Takes the request and gives it back, so that what it reserved lasts as long as the work, also when the
    /// caller stops waiting.
    async fn decode_and_admit(&self, request: Request, received: Nanos) -> Result<Admitted> {
        let bounds = self.bounds(received);
        let memory = self.store.budget().empty();
        let families = self.families.clone();
        let length = request.payload.len();
        let work = move || {
            let (request, notice) = match request.encoding {
                Encoding::OtlpJson => transcode(request, bounds.max_request_bytes, memory)?,
                Encoding::OtlpProtobuf
                | Encoding::Replay
                | Encoding::PrometheusV1
                | Encoding::PrometheusV2
                | Encoding::Samples => (request, None),
            };
            let known = known_families(&request, &families)?;
            admit((request, notice), (Vec::new(), &known), bounds)
        };
        self.run(length, work).await
    }

    async fn append(&self, admitted: Admitted, received: Nanos) -> Result<Outcome> {
        let request = admitted.request;
        let append = Append {
            tenant: request.tenant,
            signal: request.signal,
            encoding: request.encoding,
            decoder_version: otlp::DECODER_VERSION,
            received,
            payload: request.payload,
            decoded: admitted.decoded,
            refusals: admitted.refusals,
        };
        Ok(self.store.append(append, request.memory).await?)
    }
}

/// Decodes a request and takes out what breaks a limit, and the records that are `unread`.
fn admit(
    (mut request, notice): (Request, Option<String>),
    (unread, known): (Vec<Refusal>, &Families),
    bounds: Bounds,
) -> Result<Admitted> {
    let payload_bytes = request.payload.len() as u64;
    request.memory.grow(ROWS_PER_PAYLOAD * payload_bytes)?;
    let (signal, encoding, payload) = (request.signal, request.encoding, &request.payload);
    let of = (signal, encoding, otlp::DECODER_VERSION);
    let received = bounds.received;
    let mut decoded = decode::decode(of, payload, received, known)?;
    let refusals = joined(unread, admit::admit(&decoded, &bounds.limits, received));
    if !refusals.is_empty() {
        let ordinals: Vec<u32> = refusals.iter().map(|refusal| refusal.ordinal).collect();
        let records = decode::records(signal, encoding, payload, &ordinals);
        refuse::refuse(&mut decoded, &refusals, records)?;
    }
    Ok(Admitted {
        written: Written::of(&decoded),
        request,
        decoded,
        refusals,
        notice,
    })
}

/// All refusals by ordinal, one of each record: what could not be read is not judged.
fn joined(unread: Vec<Refusal>, refused: Vec<Refusal>) -> Vec<Refusal> {
    if unread.is_empty() {
        return refused;
    }
    let mut joined = unread;
    joined.extend(refused);
    // Stable, so that the first of two is the one of the record that was not read.
    joined.sort_by_key(|refusal| refusal.ordinal);
    joined.dedup_by_key(|refusal| refusal.ordinal);
    joined
}

/// Logs of another form as an admitted request, paid from `memory`; their text and its memory are given back.
fn translate(
    foreign: Foreign,
    bounds: Bounds,
    mut memory: Reservation,
) -> Result<(Admitted, Places, Reservation)> {
    let limit_bytes = bounds.max_request_bytes;
    let Translated {
        payload,
        refusals,
        places,
        memory: kept,
    } = dialect::translate(&foreign.source, &foreign.payload, limit_bytes, &mut memory)
        .map_err(|error| Error::of_dialect(error, limit_bytes))?;
    let request = Request {
        tenant: foreign.tenant,
        signal: Signal::Logs,
        encoding: Encoding::OtlpProtobuf,
        payload: payload.into(),
        memory,
    };
    drop((foreign.payload, foreign.memory));
    let admitted = admit((request, None), (refusals, &Families::default()), bounds)?;
    Ok((admitted, places, kept))
}

/// What is known of the metrics of the sender, with what this request says.
fn known_families(request: &Request, families: &KnownFamilies) -> Result<Arc<Families>> {
    if !prometheus::takes(request.encoding) {
        return Ok(Arc::default());
    }
    let said = prometheus::families(request.encoding, &request.payload)?;
    families.learn(&request.tenant, said);
    Ok(families.of(&request.tenant))
}

impl Written {
    fn of(decoded: &Decoded) -> Written {
        let rows = |wanted: Table| {
            let tables = decoded.tables.iter();
            let batches = tables.filter(|(table, _)| *table == wanted);
            batches.map(|(_, batch)| batch.num_rows() as u64).sum()
        };
        Written {
            samples: rows(Table::Samples),
            histograms: rows(Table::Histograms),
            exemplars: rows(Table::Exemplars),
        }
    }
}

/// The request in protobuf, paid from `memory`; its text and what was reserved for that are given back.
fn transcode(
    request: Request,
    max_request_bytes: u64,
    mut memory: Reservation,
) -> Result<(Request, Option<String>)> {
    let (signal, text) = (request.signal, &request.payload);
    let transcoded = json::transcode(signal, text, max_request_bytes, &mut memory)?;
    let request = Request {
        tenant: request.tenant,
        signal,
        encoding: Encoding::OtlpProtobuf,
        payload: transcoded.payload.into(),
        memory,
    };
    Ok((request, transcoded.notice))
}

fn nothing(sequence: u64, notice: Option<String>) -> Outcome {
    Outcome {
        deduplicated: false,
        answer: Answer {
            rejected: 0,
            message: notice.unwrap_or_default(),
        },
        sequence,
    }
}
