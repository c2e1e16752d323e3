//! How the answer of a method flows to its client.

/// Whether an answer is one message or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// One message.
    Whole,
    /// One message for each of the client's; one that is idle for long has no use.
    Stream,
    /// A message whenever something changes, which may be never.
    Watch,
}

impl Flow {
    /// Returns how a method answers; whatever it does not know has no answer at all.
    pub(crate) fn of(path: &str) -> Self {
        match path {
            "/sameas.v1.IdentityService/StreamLookup"
            | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => Self::Stream,
            "/grpc.health.v1.Health/Watch" => Self::Watch,
            _ => Self::Whole,
        }
    }
}
