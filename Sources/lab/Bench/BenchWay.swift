import LinuxHost
import TestSupport

/// How the workload moves.
package enum BenchWay: String, CaseIterable, Codable, Sendable {
    case godwit
    /// Packets that come meanwhile are lost.
    case noHold = "no-hold"
    /// All memory travels in the freeze.
    case stopAndCopy = "stop-and-copy"
    /// All memory follows once it runs on the target.
    case postCopy = "post-copy"
    /// One round before that.
    case hybrid
    case pageServer = "page-server"
    case runcTar = "runc-tar"
    case lxc = "lxc-rsync"
    case podman, incus

    /// What a person reads in tables and legends.
    package var title: String {
        switch self {
        case .godwit: "godwit"
        case .noHold: "no hold"
        case .stopAndCopy: "stop and copy"
        case .postCopy: "post-copy"
        case .hybrid: "hybrid"
        case .pageServer: "CRIU page server"
        case .runcTar: "runc and tar"
        case .lxc: "LXC and rsync"
        case .podman: "Podman"
        case .incus: "Incus"
        }
    }

    /// What the command line of `godwit move` adds; nil for another system than Godwit.
    var options: [String]? {
        switch self {
        case .godwit: []
        case .noHold: ["--no-hold"]
        case .stopAndCopy: ["--rounds", "0"]
        case .postCopy: ["--postcopy"]
        case .hybrid: ["--rounds", "1", "--at-deadline", "postcopy"]
        case .pageServer, .runcTar, .lxc, .podman, .incus: nil
        }
    }

    /// Whether the program must know post-copy.
    var needsPostCopy: Bool { self == .postCopy || self == .hybrid }

    package var isPeer: Bool { options == nil }

    /// The scripts of another system; nil for Godwit.
    var scripts: PeerScripts? {
        switch self {
        case .godwit, .noHold, .stopAndCopy, .postCopy, .hybrid: nil
        case .pageServer: .pageServer
        case .runcTar: .runcTar
        case .lxc: .lxc
        case .podman: .podman
        case .incus: .incus
        }
    }
}

/// One workload and the way that it moves.
package struct BenchCase: Equatable, Sendable {
    package let way: BenchWay
    package let mebibytes: Int
    package let rate: Int

    package init(way: BenchWay, mebibytes: Int, rate: Int) {
        (self.way, self.mebibytes, self.rate) = (way, mebibytes, rate)
    }

    /// What has to be free on a machine that carries both hosts: the workload, its pages on the
    /// target before they are placed, and 4 GiB for everything else.
    package var neededMebibytes: Int { 2 * mebibytes + 4096 }
}

/// What is measured in one run, in this order.
package struct BenchPlan {
    var sizes: [Int]
    var rates: [Int]
    var ways: [BenchWay]
    /// The largest of them, whose moves take long, is measured at one rate only.
    var peerSizes: [Int]
    /// Above it only `godwit` and `hybrid` move at every rate.
    var allWaysUpTo = 1024

    package init(sizes: [Int], rates: [Int], ways: [BenchWay], peerSizes: [Int]) {
        (self.sizes, self.rates, self.ways, self.peerSizes) = (sizes, rates, ways, peerSizes)
    }

    /// The rate at which slow ways are measured at large sizes, too.
    var middleRate: Int? { rates.isEmpty ? nil : rates.sorted()[rates.count / 2] }

    package var cases: [BenchCase] {
        sizes.flatMap { size in
            rates.flatMap { rate in
                ways.filter { includes($0, size, rate) }
                    .map { BenchCase(way: $0, mebibytes: size, rate: rate) }
            }
        }
    }

    private func includes(_ way: BenchWay, _ size: Int, _ rate: Int) -> Bool {
        let isMiddle = rate == middleRate
        if way.isPeer {
            guard peerSizes.contains(size) else { return false }
            // A move of Incus takes half a minute at any size.
            guard way != .incus else { return isMiddle && size == nearest(256, of: peerSizes) }
            return size != peerSizes.max() || peerSizes.count == 1 || isMiddle
        }
        switch way {
        case .godwit, .hybrid: return true
        case .noHold: return size <= allWaysUpTo
        default: return size <= allWaysUpTo || isMiddle
        }
    }
}

/// The value that is nearest to the wish; nil if there is none.
func nearest(_ wish: Int, of values: [Int]) -> Int? {
    values.min { abs($0 - wish) < abs($1 - wish) }
}
