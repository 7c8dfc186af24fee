package import NIOCore

/// How long a connection waits for what. Tests shorten it.
package struct WireTiming: Sendable {
    package var connect = TimeAmount.seconds(5)
    /// From the first byte of TLS to the accepted hello.
    package var hello = TimeAmount.seconds(10)
    /// Between two signs of life on a control connection, and between two looks at the link.
    package var beat = TimeAmount.seconds(2)
    /// After this long without a sign of life the link counts as lost.
    package var silence = TimeAmount.seconds(10)
    /// How long a side that has said its last word waits for the other to hang up.
    package var linger = TimeAmount.seconds(2)

    package static let standard = WireTiming()

    package init() {}
}
