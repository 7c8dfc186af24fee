import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Wire

/// A client that says whatever it is told to, over TLS or bare TCP, and keeps what it hears.
final class RawClient: Sendable {
    private final class Ear: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let heard: Heard
        init(_ heard: Heard) { self.heard = heard }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            heard.bytes.withLock { $0 += bytes.readableBytesView }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            heard.error.withLock { $0 = $0 ?? error }
            context.close(promise: nil)
        }
    }

    final class Heard: Sendable {
        let bytes = Mutex<[UInt8]>([])
        let error = Mutex<(any Error)?>(nil)
    }

    let channel: any Channel
    private let heard = Heard()

    /// - Parameter configuration: nil for bare TCP.
    init(port: Int, _ configuration: TLSConfiguration?) async throws {
        let heard = self.heard
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let configuration {
                        let context = try NIOSSLContext(configuration: configuration)
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: nil)
                        )
                    }
                    try pipeline.addHandler(Ear(heard))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    var bytes: [UInt8] { heard.bytes.withLock { $0 } }

    var error: (any Error)? { heard.error.withLock { $0 } }

    func say(_ bytes: [UInt8]) async { try? await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// What was heard until the other side hung up.
    func heardUntilClosed() async -> [UInt8] {
        try? await channel.closeFuture.get()
        return bytes
    }

    func close() async { try? await channel.close() }
}

extension Pair {
    func configuration(_ applicationProtocols: [String], as identity: HostIdentity? = nil) throws
        -> TLSConfiguration
    {
        var configuration = try (identity ?? source)
            .httpClientConfiguration(pinning: target.certificateText)
        configuration.applicationProtocols = applicationProtocols
        return configuration
    }
}

/// A frame with any header fields.
func rawFrame(
    magic: UInt32 = FrameHeader.magic, version: UInt16 = 1, kind: UInt16, length: UInt64? = nil,
    _ payload: [UInt8] = []
) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.writeMultipleIntegers(
        magic,
        version,
        kind,
        length ?? UInt64(payload.count),
        endianness: .little
    )
    return Array(buffer.readableBytesView) + payload
}
