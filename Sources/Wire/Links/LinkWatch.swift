import Glibc
import MigrationCore
import NIOCore

/// How a cut cable is noticed on a stream that carries no signs of life of its own.
///
/// `TCP_USER_TIMEOUT` would do for a reader that reads, but it also ends a connection whose reader
/// has
/// been slow for so long: the kernel does not count answered window probes (tcp_probe_timer). So
/// idle streams have keepalive probes, and busy ones are asked how long the peer has acknowledged
/// nothing.
extension FrameLink {
    /// Probes after 4 s of silence, each 2 s, lost after 3: 10 s in all.
    static let socketOptions: [(ChannelOptions.Types.SocketOption, Int)] = [
        (ChannelOptions.socketOption(.so_keepalive), 1),
        (tcp(TCP_KEEPIDLE), 4),
        (tcp(TCP_KEEPINTVL), 2),
        (tcp(TCP_KEEPCNT), 3),
    ]

    private static func tcp(_ option: CInt) -> ChannelOptions.Types.SocketOption {
        ChannelOptions.tcpOption(NIOBSDSocket.Option(rawValue: option))
    }

    func watchAcknowledgements() {
        guard let provider = channel as? any SocketOptionProvider else { return }
        provider.getTCPInfo().whenSuccess { info in
            let silence = TimeAmount.milliseconds(Int64(info.tcpi_last_ack_recv))
            let isWaiting = info.tcpi_unacked > 0 && info.tcpi_retransmits >= 2
            guard isWaiting, silence > self.timing.silence else { return }
            self.lose("nothing was acknowledged for \(info.tcpi_last_ack_recv) ms")
        }
    }
}
