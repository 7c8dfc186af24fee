import CLinux
import Foundation
package import MigrationCore

/// One descriptor of a process, and why CRIU cannot dump it.
struct OpenFile {
    let pid: Int32
    let number: Int32
    /// What the link /proc/PID/fd/N says.
    let target: String

    private var path: String { "/proc/\(pid)/fd/\(number)" }

    func obstacle(in scene: Scene) -> (ObstacleKind, String)? {
        if target.hasPrefix("anon_inode:") {
            return anonymousObstacle(target.dropFirst("anon_inode:".count))
        }
        if target.hasPrefix("socket:") { return socketObstacle() }
        guard target.hasPrefix("/"), !target.hasPrefix("/memfd:") else { return nil }
        return pathObstacle(in: scene)
    }

    private func anonymousObstacle(_ name: Substring) -> (ObstacleKind, String)? {
        guard let kind = anonymousKind(name) else { return nil }
        return (kind, "has \(target) open")
    }

    /// The kernel tells a socket's protocol as an attribute of its file (net/socket.c).
    private func socketObstacle() -> (ObstacleKind, String)? {
        var bytes = [UInt8](repeating: 0, count: 64)
        let size = unsafe godwit_getxattr(path, "system.sockprotoname", &bytes, bytes.count)
        guard size > 0 else { return nil }
        let name = String(decoding: bytes.prefix(size).prefix { $0 != 0 }, as: UTF8.self)
        guard undumpableSockets.contains(name) else { return nil }
        return (.socketFamily, "has a socket of the protocol \(name) open")
    }

    private func pathObstacle(in scene: Scene) -> (ObstacleKind, String)? {
        guard let found = status(path) else { return nil }
        if found.kind == S_IFBLK { return (.openDevice, "has the device \(target) open") }
        if found.kind == S_IFCHR {
            let (major, minor) = found.device
            if isTerminal(major) || isRestorableDevice(major, minor) { return nil }
            if major != 1 { return (.openDevice, "has the device \(target) open") }
        }
        if let mount = information("mnt_id:").flatMap({ Int($0) }),
            !scene.mountIDs.isEmpty, !scene.mountIDs.contains(mount)
        {
            return (.leakedDescriptor, "has \(target) open, which is outside of the instance")
        }
        let size = UInt64(max(0, found.st_blocks)).multipliedReportingOverflow(by: 512)
        let isLarge = size.overflow || size.partialValue > scene.ghostLimit.bytes
        guard found.kind == S_IFREG, found.st_nlink == 0, isLarge else { return nil }
        return (.deletedFile, "has the large file \(target) open")
    }

    /// The value of a line of fdinfo.
    private func information(_ word: String) -> String? {
        let text = smallFile("/proc/\(pid)/fdinfo/\(number)") ?? ""
        return text.split(separator: "\n").lazy
            .compactMap { line in
                line.hasPrefix(word)
                    ? line.dropFirst(word.count).trimmingCharacters(in: .whitespaces) : nil
            }
            .first
    }
}

/// Which obstacle an anonymous inode is, by the kernel's name for it; nil for what CRIU dumps.
///
/// CRIU can dump hashes and arrays of BPF where it is built with libbpf; Debian's is not.
package func anonymousKind(_ name: Substring) -> ObstacleKind? {
    let bare = name.drop { $0 == "[" }.prefix { $0 != "]" }
    switch bare {
    case "eventfd", "eventpoll", "inotify", "fanotify", "signalfd", "timerfd", "pidfd": return nil
    case "io_uring": return .ioUring
    case "perf_event": return .performanceEvent
    case "userfaultfd": return .userfaultfd
    case let other where other.hasPrefix("bpf") || other == "btf": return .bpf
    case let other where other.hasPrefix("kvm"): return .openDevice
    default: return .anonymousFile
    }
}

/// Consoles and both ends of pseudo-terminals: what becomes of them is the runtime's matter.
private func isTerminal(_ major: UInt32) -> Bool {
    major == 4 || major == 5 || (128...143).contains(major)
}

/// /dev/net/tun and /dev/autofs.
private func isRestorableDevice(_ major: UInt32, _ minor: UInt32) -> Bool {
    major == 10 && (minor == 200 || minor == 235)
}

/// Names of `struct proto` whose sockets CRIU refuses by family or protocol.
private let undumpableSockets: Set<String> = [
    "MPTCP", "MPTCPv6", "SCTP", "SCTPv6", "DCCP", "DCCPv6", "SMC", "SMC6", "L2TP/IP", "L2TP/IPv6",
    "AF_VSOCK", "ALG", "XDP", "TIPC", "RXRPC", "KCM", "QIPCRTR", "RDS", "CAN_RAW", "CAN_BCM",
    "CAN_ISOTP", "CAN_J1939", "PPPOE", "PPPOX", "L2CAP", "RFCOMM", "SCO", "HCI", "BNEP", "HIDP",
    "CMTP", "NFC_RAW", "NFC_LLCP", "PHONET", "IUCV", "X25", "AX25", "ATM",
]
