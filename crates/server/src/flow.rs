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
            | "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Self::Stream,
            "/grpc.health.v1.Health/Watch" => Self::Watch,
            _ => Self::Whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use sameas_api::v1::identity_service_server::SERVICE_NAME;

    use super::*;

    #[test]
    fn only_calls_that_stay_open_are_streams() {
        let flow = |method: &str| Flow::of(&format!("/{SERVICE_NAME}/{method}"));
        assert_eq!(flow("StreamLookup"), Flow::Stream);
        for method in [
            "Lookup",
            "BatchLookup",
            "GetEntity",
            "Explain",
            "GetHistory",
        ] {
            assert_eq!(flow(method), Flow::Whole, "{method}");
        }
        assert_eq!(Flow::of("/grpc.health.v1.Health/Watch"), Flow::Watch);
        assert_eq!(Flow::of("/grpc.health.v1.Health/Check"), Flow::Whole);
        assert_eq!(Flow::of(""), Flow::Whole);
    }
}
