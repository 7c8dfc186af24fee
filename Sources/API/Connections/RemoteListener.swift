package import MigrationCore
package import NIOCore

/// The port that other hosts connect to, as the API serves it: TLS, the decision whom to let in,
/// and whatever is not HTTP belong to the one who made this.
///
///     accept -> secure -> handshake -> admit -+-> .http    HTTP handlers, the API answers
///                                             +-> .other   `serve` has the channel for itself
///                                             +-> .refuse  closed
///
/// No byte reaches an HTTP parser, or any handler but TLS, before `admit` has answered.
package struct RemoteListener: Sendable {
    package var host: String
    /// 0 lets the kernel choose; `APIServer.onReady` tells what it chose.
    package var port: Int
    /// Adds TLS to a fresh pipeline; runs on its event loop.
    package var secure: @Sendable (any Channel) throws -> Void
    /// Decides after the handshake, with the protocol that ALPN agreed on.
    package var admit: @Sendable (any Channel, String?) async -> RemoteAdmission

    package init(
        host: String,
        port: Int,
        secure: @escaping @Sendable (any Channel) throws -> Void,
        admit: @escaping @Sendable (any Channel, String?) async -> RemoteAdmission
    ) {
        self.host = host
        self.port = port
        self.secure = secure
        self.admit = admit
    }
}

/// What becomes of a connection whose handshake is done.
package enum RemoteAdmission: Sendable {
    case http(PeerIdentity)
    /// Serves an admitted connection that is not HTTP, and returns when it is over; the channel is
    /// closed afterwards.
    ///
    /// The channel arrives with `autoRead` off and with all bytes held back. Put your handlers in
    /// place, then set `ChannelOptions.autoRead` to true and call `channel.read()`: the first
    /// `read` through the pipeline lets go what was held. (A `NIOAsyncChannel` reads by itself.)
    case other(@Sendable (any Channel) async -> Void)
    case refuse
}
