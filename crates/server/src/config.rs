//! What a server is started with, and the bounds that are not for choosing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The most streams a client may have open on one connection.
///
/// Without this bound one connection can hold as many streams as it likes, and with
/// them the server's memory.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 100;
/// What one stream may send before the server has read it, in bytes.
pub(crate) const STREAM_WINDOW_LEN: u32 = 64 << 10;
/// What one connection may send before the server has read it, in bytes.
pub(crate) const CONNECTION_WINDOW_LEN: u32 = 1 << 20;
/// The longest list of request headers, in bytes.
pub(crate) const HEADER_LIST_LEN_MAX: u32 = 8 << 10;
/// The longest piece of an answer that is handed to HTTP/2 at once, in bytes.
///
/// It holds what it was handed until the client takes it, and nobody counts that as a request.
pub(crate) const PIECE_LEN_MAX: usize = 64 << 10;
/// The longest HTTP/2 frame, in bytes.
pub(crate) const FRAME_LEN_MAX: u32 = 16 << 10;
/// The longest request message, in bytes.
///
/// The longest that is legal is a batch of 1,000 references. Each is a source of at most 256
/// bytes and a key of at most 1,024, with a tag of one byte and a length of two before either
/// and before both: 1,289 bytes, or 1.23 MiB in all.
pub const REQUEST_LEN_MAX: usize = 2 << 20;
/// The longest response message, in bytes.
pub const RESPONSE_LEN_MAX: usize = 4 << 20;
/// The most references in one batch.
pub const BATCH_COUNT_MAX: usize = 1_000;
/// The most members on one page of an entity.
pub const PAGE_COUNT_MAX: u32 = 1_000;
/// The members on a page if the request does not say.
pub const PAGE_COUNT_DEFAULT: u32 = 100;
/// The most edges of one kind in an explanation.
pub const EVIDENCE_COUNT_MAX: usize = 100;
/// The longest chain of links in an explanation; with the longest keys it fits a response.
pub const PATH_COUNT_MAX: usize = 500;
/// The most events or memberships in a history.
pub const HISTORY_COUNT_MAX: usize = 1_000;
/// The most entities in the place of an id that was merged or split.
pub const SUCCESSOR_COUNT_MAX: usize = 1_000;
/// The most entities of one event; 1,000 events of 100 ids of 38 bytes fit a response.
pub const INTO_COUNT_MAX: usize = 100;
/// The most references of an entity whose profile is made.
pub const PROFILE_MEMBER_COUNT_MAX: u32 = 1_000;
/// The most fields that one profile asks for.
pub const FIELD_COUNT_MAX: usize = 256;
/// The most values that differ from the one that survives, in a field of a profile.
pub const ALTERNATIVE_COUNT_MAX: usize = 100;
/// The most references that say one value, in a profile.
pub const VALUE_REFERENCE_COUNT_MAX: usize = 100;
/// The most attributes of a record that is looked for.
pub const ATTRIBUTE_COUNT_MAX: usize = 256;
/// The most entities that one find tells.
pub const FOUND_COUNT_MAX: u32 = 100;
/// The entities that a find tells if the request does not say.
pub(crate) const FOUND_COUNT_DEFAULT: u32 = 10;
/// The most references of a found entity that are told.
pub const FOUND_REFERENCE_COUNT_MAX: usize = 100;
/// The longest reason why a source did not tell what it has, in bytes.
pub const GAP_REASON_LEN_MAX: usize = 1_024;
/// How long a connection may be silent before the server asks whether it lives.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long the server waits for that answer.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// What a server is started with.
///
/// ```
/// use sameas_server::ServerConfig;
///
/// let config = ServerConfig { listen: "127.0.0.1:0".parse()?, ..ServerConfig::default() };
/// assert_eq!(config.connections_max, 10_000);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes any free port.
    pub listen: SocketAddr,
    /// Allows an address that other machines reach, although nothing is encrypted.
    pub insecure_plaintext: bool,
    /// Says that only a proxy reaches the address, and that it encrypts what clients send: then
    /// tokens of callers may come to an address that other machines reach.
    pub behind_tls_proxy: bool,
    /// How many threads answer; 0 takes one for each processor.
    pub worker_count: usize,
    /// The most connections open at once.
    pub connections_max: usize,
    /// The most connections open at once from one peer, unless it is one of the proxies.
    ///
    /// A peer is an address, or with IPv6 the 64 bits of its network, which are one customer's.
    pub connections_per_peer_max: usize,
    /// The most requests in the house at once, waiting, being answered or being taken, streams
    /// included; half as many for one peer, unless it is one of the proxies.
    pub requests_in_flight_max: usize,
    /// The most streaming calls open at once, health watches and reflection included; half as
    /// many for one peer, unless it is one of the proxies.
    pub streams_open_max: usize,
    /// The most profiles that are being made at once.
    pub profiles_in_flight_max: usize,
    /// The most records that are looked for at once.
    pub finds_in_flight_max: usize,
    /// The addresses that speak for many clients, to which no bound of one peer applies.
    ///
    /// This machine by default, because what hides the server from others runs here.
    pub proxies: Vec<IpAddr>,
    /// How long a new connection may take to say that it speaks HTTP/2.
    pub preface_deadline: Duration,
    /// How long a request may take to arrive and be answered.
    pub request_deadline: Duration,
    /// How long a client may take to take an answer, or one message of a stream.
    ///
    /// The connection of one that takes longer is cut, at the latest after twice as long:
    /// nothing less ends an answer for which a client opens no window.
    pub answer_deadline: Duration,
    /// How long a stream may be without a message; health watches may be so for ever.
    ///
    /// A stream that is without one for longer ends after at most twice as long.
    pub stream_idle_deadline: Duration,
    /// How long a connection lives before its client is asked to open another.
    ///
    /// Up to twice as long for some, so that clients do not all return at once.
    pub connection_age: Duration,
    /// How long after that a connection may still be used before it is cut.
    pub connection_grace: Duration,
    /// How long open requests may take to end once the server is asked to stop.
    pub drain_deadline: Duration,
    /// How often the graph folder is asked for a newer revision.
    pub poll_interval: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051)),
            insecure_plaintext: false,
            behind_tls_proxy: false,
            worker_count: 0,
            connections_max: 10_000,
            connections_per_peer_max: 256,
            requests_in_flight_max: 4_096,
            streams_open_max: 1_024,
            profiles_in_flight_max: 64,
            finds_in_flight_max: 256,
            proxies: vec![
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ],
            preface_deadline: Duration::from_secs(5),
            // Answers take microseconds; this is the time a slow client has for its request.
            request_deadline: Duration::from_secs(10),
            // Enough for the longest answer over one megabit a second.
            answer_deadline: Duration::from_secs(40),
            stream_idle_deadline: Duration::from_mins(10),
            connection_age: Duration::from_mins(30),
            connection_grace: Duration::from_mins(10),
            drain_deadline: Duration::from_secs(10),
            poll_interval: Duration::from_millis(200),
        }
    }
}
