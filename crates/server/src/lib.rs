//! The gRPC server of sameas: answers from the newest snapshot of a graph folder.
//!
//! The server converts, asks the snapshot and answers; it decides nothing and opens no source.
//! A field value reaches it only on its way to a caller that may see it, from what [`Values`]
//! hands it; a server without them never receives one. Each request is answered from one revision, a revision
//! published meanwhile is picked up without dropping a request, and every resource a client
//! can take is bounded. [`Server::bind`] shows how to start it.

mod answer;
mod backoff;
mod callers;
mod config;
mod connection;
mod convert;
mod crew;
mod crowd;
mod current;
mod cursor;
mod doors;
mod error;
mod find;
mod flow;
mod front;
mod gate;
mod groups;
mod identity;
mod leash;
mod listener;
mod origin;
mod patience;
mod porter;
mod profile;
mod question;
mod refusal;
mod server;
mod shutdown;
mod signal;
mod status;
mod tally;
mod values;
mod worker;

pub use callers::{Callers, Right, Rights};
pub use config::{
    ALTERNATIVE_COUNT_MAX, ATTRIBUTE_COUNT_MAX, BATCH_COUNT_MAX, EVIDENCE_COUNT_MAX,
    FIELD_COUNT_MAX, FOUND_COUNT_MAX, FOUND_REFERENCE_COUNT_MAX, GAP_REASON_LEN_MAX,
    HISTORY_COUNT_MAX, INTO_COUNT_MAX, PAGE_COUNT_DEFAULT, PAGE_COUNT_MAX, PATH_COUNT_MAX,
    PROFILE_MEMBER_COUNT_MAX, REQUEST_LEN_MAX, RESPONSE_LEN_MAX, STREAMS_PER_CONNECTION_MAX,
    SUCCESSOR_COUNT_MAX, ServerConfig, VALUE_REFERENCE_COUNT_MAX,
};
pub use convert::decision_model;
pub use error::ServeError;
pub use server::{Bound, Drained, Server};
pub use signal::asked_to_stop;
pub use values::{
    Answering, FindAnswer, FindFailure, FindQuestion, Finding, Matches, ProfileAnswer,
    ProfileQuestion, Profiles, Values, ValuesError,
};
