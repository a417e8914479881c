//! What the services of the shop log: bodies as frameworks write them, and the attributes beside them.

use crate::data::{
    facts::Fill::{Amount, Attempt, Bytes, Milliseconds, Offset, Order, Partition, Small, Status},
    shop::Kind::{self, Auth, Data, Order as Orders, Pay, Queue, Web},
    text::Value::{self, Bool, Double, Int, Text},
};

/// A log statement.
pub(super) struct Source {
    pub(super) kinds: &'static [Kind],
    /// How often it runs, against the others of the same kind.
    pub(super) weight: usize,
    pub(super) severity: u64,
    pub(super) body: &'static str,
    pub(super) attributes: &'static [(&'static str, Value)],
}

const DEBUG: u64 = 5;
const INFO: u64 = 9;
const WARN: u64 = 13;
const ERROR: u64 = 17;

pub(super) const STATEMENTS: [Source; 28] = [
    Source {
        kinds: &[Web],
        weight: 52,
        severity: INFO,
        body: "{ip} - {user} \"{method} {path} HTTP/1.1\" {status} {bytes} \"https://shop.example.com/\" \"Mozilla/5.0 (X11; Linux x86_64)\" {ms}",
        attributes: &[
            ("http.request.method", Text("{method}")),
            ("http.response.status_code", Int(Status)),
            ("http.route", Text("{route}")),
            ("duration_ms", Double(Milliseconds)),
            ("client.address", Text("{ip}")),
        ],
    },
    Source {
        kinds: &[Web, Orders],
        weight: 18,
        severity: DEBUG,
        body: "upstream {table}.shop.svc.cluster.local:8080 answered {status} for {method} {route} in {ms} ms, attempt {attempt}",
        attributes: &[
            ("http.route", Text("{route}")),
            ("upstream.attempt", Int(Attempt)),
            ("duration_ms", Double(Milliseconds)),
            ("upstream.zone", Text("eu-central-1b")),
        ],
    },
    Source {
        kinds: &[Web],
        weight: 5,
        severity: WARN,
        body: "slow request: {method} {path} took {ms} ms (threshold 250 ms), user {user}, {small} upstream calls",
        attributes: &[
            ("http.request.method", Text("{method}")),
            ("http.route", Text("{route}")),
            ("duration_ms", Double(Milliseconds)),
            ("user.id", Text("{user}")),
            ("request.id", Text("{uuid}")),
        ],
    },
    Source {
        kinds: &[Web],
        weight: 2,
        severity: ERROR,
        body: "upstream request timeout after {ms} ms: {method} {path}, giving up after {attempt} attempts, request {uuid}",
        attributes: &[
            ("http.request.method", Text("{method}")),
            ("http.route", Text("{route}")),
            ("http.response.status_code", Int(Status)),
            ("error.type", Text("timeout")),
            ("upstream.attempt", Int(Attempt)),
            ("request.id", Text("{uuid}")),
            ("user.id", Text("{user}")),
        ],
    },
    Source {
        kinds: &[Orders],
        weight: 26,
        severity: INFO,
        body: "order {order} of customer {user} accepted: {small} items, total {amount} EUR, idempotency key {uuid}",
        attributes: &[
            ("order.id", Int(Order)),
            ("order.amount", Double(Amount)),
            ("order.items", Int(Small)),
            ("user.id", Text("{user}")),
            ("order.express", Bool(7)),
        ],
    },
    Source {
        kinds: &[Orders],
        weight: 22,
        severity: INFO,
        body: "added {sku} x{small} to cart of {user}, cart now holds {small} positions worth {amount} EUR",
        attributes: &[
            ("product.sku", Text("{sku}")),
            ("product.quantity", Int(Small)),
            ("user.id", Text("{user}")),
            ("cart.value", Double(Amount)),
        ],
    },
    Source {
        kinds: &[Orders],
        weight: 12,
        severity: DEBUG,
        body: "reserving stock for order {order}: {sku} x{small} in warehouse WH-{partition}, lease {hex} valid for 900 s",
        attributes: &[
            ("order.id", Int(Order)),
            ("product.sku", Text("{sku}")),
            ("warehouse.lease", Text("{hex}")),
        ],
    },
    Source {
        kinds: &[Orders],
        weight: 4,
        severity: WARN,
        body: "stock of {sku} is down to {small}, order {order} may be split into {attempt} shipments",
        attributes: &[
            ("order.id", Int(Order)),
            ("product.sku", Text("{sku}")),
            ("stock.left", Int(Small)),
        ],
    },
    Source {
        kinds: &[Orders],
        weight: 2,
        severity: ERROR,
        body: "could not place order {order}: optimistic lock failed on {table} after {attempt} attempts (expected version {small})",
        attributes: &[
            ("order.id", Int(Order)),
            ("user.id", Text("{user}")),
            ("db.collection.name", Text("{table}")),
            ("error.type", Text("OptimisticLockException")),
        ],
    },
    Source {
        kinds: &[Pay],
        weight: 34,
        severity: INFO,
        body: "payment {uuid} for order {order} authorised: {amount} EUR, card ending {partition}, provider latency {ms} ms",
        attributes: &[
            ("payment.id", Text("{uuid}")),
            ("order.id", Int(Order)),
            ("payment.amount", Double(Amount)),
            ("payment.provider", Text("provider-{attempt}")),
            ("duration_ms", Double(Milliseconds)),
        ],
    },
    Source {
        kinds: &[Pay],
        weight: 20,
        severity: DEBUG,
        body: "risk score {small} for customer {user}: velocity={attempt} country_match=true device={hex} rules=[velocity,geo,device]",
        attributes: &[
            ("user.id", Text("{user}")),
            ("risk.score", Int(Small)),
            ("device.id", Text("{hex}")),
            ("risk.manual_review", Bool(50)),
        ],
    },
    Source {
        kinds: &[Pay],
        weight: 5,
        severity: WARN,
        body: "payment for order {order} declined by provider-{attempt}: insufficient_funds (code 51), customer {user} was notified",
        attributes: &[
            ("order.id", Int(Order)),
            ("payment.provider", Text("provider-{attempt}")),
            ("payment.decline_code", Int(Small)),
            ("user.id", Text("{user}")),
        ],
    },
    Source {
        kinds: &[Pay],
        weight: 3,
        severity: ERROR,
        body: "com.shop.payment.ProviderTimeoutException: timeout after {ms} ms waiting for provider-{attempt}, payment {uuid}\n\tat com.shop.payment.ProviderClient.authorise(ProviderClient.java:1{partition})\n\tat com.shop.payment.PaymentFlow.charge(PaymentFlow.java:88)\n\tat com.shop.payment.PaymentResource.post(PaymentResource.java:5{small})\n\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)\n\tat java.base/java.lang.Thread.run(Thread.java:1583)\nCaused by: java.net.SocketTimeoutException: Read timed out\n\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)\n\t... 17 more",
        attributes: &[
            (
                "exception.type",
                Text("com.shop.payment.ProviderTimeoutException"),
            ),
            (
                "exception.message",
                Text("timeout after {ms} ms waiting for provider-{attempt}"),
            ),
            ("order.id", Int(Order)),
            ("payment.id", Text("{uuid}")),
            ("thread.name", Text("{thread}")),
        ],
    },
    Source {
        kinds: &[Data],
        weight: 30,
        severity: DEBUG,
        body: "SELECT id, sku, price, updated_at FROM {table} WHERE sku = '{sku}' AND region = 'eu' ORDER BY updated_at DESC LIMIT {small} -- {ms} ms",
        attributes: &[
            ("db.system.name", Text("postgresql")),
            ("db.collection.name", Text("{table}")),
            ("db.response.returned_rows", Int(Small)),
            ("duration_ms", Double(Milliseconds)),
        ],
    },
    Source {
        kinds: &[Data],
        weight: 26,
        severity: INFO,
        body: "cache miss for key {table}:{sku}:{user}, loaded {bytes} bytes from the database in {ms} ms",
        attributes: &[
            ("cache.key", Text("{table}:{sku}:{user}")),
            ("cache.hit", Bool(1_000_000)),
            ("cache.bytes", Int(Bytes)),
            ("duration_ms", Double(Milliseconds)),
        ],
    },
    Source {
        kinds: &[Data],
        weight: 16,
        severity: INFO,
        body: "{\"msg\":\"query finished\",\"table\":\"{table}\",\"rows\":{small},\"took_ms\":{ms},\"plan\":\"index_scan\",\"customer\":\"{user}\",\"shard\":{partition}}",
        attributes: &[
            ("db.collection.name", Text("{table}")),
            ("db.shard", Int(Partition)),
            ("user.id", Text("{user}")),
        ],
    },
    Source {
        kinds: &[Data],
        weight: 4,
        severity: WARN,
        body: "connection pool {table}-ro is at {small} of 20 connections, {attempt} requests wait, oldest for {ms} ms",
        attributes: &[
            ("pool.name", Text("{table}-ro")),
            ("pool.in_use", Int(Small)),
            ("pool.waiting", Int(Attempt)),
        ],
    },
    Source {
        kinds: &[Data],
        weight: 2,
        severity: ERROR,
        body: "ERROR: canceling statement due to statement timeout (SQLSTATE 57014) on {table}, query {hex} ran {ms} ms",
        attributes: &[
            ("db.system.name", Text("postgresql")),
            ("db.collection.name", Text("{table}")),
            ("db.response.status_code", Text("57014")),
            ("db.query.id", Text("{hex}")),
            ("error.type", Text("timeout")),
        ],
    },
    Source {
        kinds: &[Queue],
        weight: 40,
        severity: INFO,
        body: "processed message {uuid} from {topic}/{partition} at offset {offset} in {ms} ms ({bytes} bytes)",
        attributes: &[
            ("messaging.destination.name", Text("{topic}")),
            ("messaging.destination.partition.id", Int(Partition)),
            ("messaging.kafka.offset", Int(Offset)),
            ("messaging.message.id", Text("{uuid}")),
            ("duration_ms", Double(Milliseconds)),
            ("messaging.message.body.size", Int(Bytes)),
        ],
    },
    Source {
        kinds: &[Queue],
        weight: 16,
        severity: DEBUG,
        body: "committed offsets for group shop-{topic}: partition {partition} at {offset}, lag {small}",
        attributes: &[
            ("messaging.destination.partition.id", Int(Partition)),
            ("messaging.kafka.offset", Int(Offset)),
            ("messaging.lag", Int(Small)),
        ],
    },
    Source {
        kinds: &[Queue],
        weight: 5,
        severity: WARN,
        body: "redelivery {attempt} of message {uuid} from {topic}: handler failed with HTTP {status}, backing off {ms} ms",
        attributes: &[
            ("messaging.destination.name", Text("{topic}")),
            ("messaging.message.id", Text("{uuid}")),
            ("messaging.redelivery", Int(Attempt)),
        ],
    },
    Source {
        kinds: &[Queue],
        weight: 2,
        severity: ERROR,
        body: "message {uuid} from {topic} moved to the dead letter queue after {attempt} attempts: json: cannot unmarshal string into Go struct field Event.amount of type float64",
        attributes: &[
            ("messaging.destination.name", Text("{topic}")),
            ("messaging.message.id", Text("{uuid}")),
            ("error.type", Text("UnmarshalTypeError")),
            ("messaging.kafka.offset", Int(Offset)),
        ],
    },
    Source {
        kinds: &[Auth],
        weight: 38,
        severity: INFO,
        body: "session {hex} of user {user} refreshed from {ip}, token expires in 3600 s, scopes=[profile,orders,cart]",
        attributes: &[
            ("session.id", Text("{hex}")),
            ("user.id", Text("{user}")),
            ("client.address", Text("{ip}")),
            ("auth.mfa", Bool(3)),
        ],
    },
    Source {
        kinds: &[Auth],
        weight: 22,
        severity: DEBUG,
        body: "jwt verified: kid=shop-2026-{partition} sub={user} iss=https://id.shop.example.com aud=storefront jti={uuid}",
        attributes: &[
            ("user.id", Text("{user}")),
            ("jwt.kid", Text("shop-2026-{partition}")),
        ],
    },
    Source {
        kinds: &[Auth],
        weight: 6,
        severity: WARN,
        body: "failed login for {user} from {ip}: wrong password, {attempt} of 5 attempts before the account is locked",
        attributes: &[
            ("user.id", Text("{user}")),
            ("client.address", Text("{ip}")),
            ("auth.attempt", Int(Attempt)),
            ("auth.method", Text("password")),
        ],
    },
    Source {
        kinds: &[Auth],
        weight: 1,
        severity: ERROR,
        body: "could not reach the key server https://id.shop.example.com/keys: context deadline exceeded (timeout {ms} ms), serving cached keys of age {small} min",
        attributes: &[
            ("error.type", Text("timeout")),
            ("server.address", Text("id.shop.example.com")),
            ("duration_ms", Double(Milliseconds)),
        ],
    },
    Source {
        kinds: &[Orders, Pay, Data, Queue],
        weight: 3,
        severity: INFO,
        body: "[gc] GC({order}) Pause Young (Normal) (G1 Evacuation Pause) {bytes}K->{small}M(2048M) {ms}ms",
        attributes: &[
            ("thread.name", Text("{thread}")),
            ("jvm.gc.pause_ms", Double(Milliseconds)),
        ],
    },
    Source {
        kinds: &[Web, Orders, Pay, Data, Queue, Auth],
        weight: 2,
        severity: INFO,
        body: "feature flag new-checkout evaluated to variant-{attempt} for {user} (bucket {partition}, reason TARGETING_MATCH)",
        attributes: &[
            ("feature_flag.key", Text("new-checkout")),
            ("feature_flag.result.variant", Text("variant-{attempt}")),
            ("user.id", Text("{user}")),
        ],
    },
];
