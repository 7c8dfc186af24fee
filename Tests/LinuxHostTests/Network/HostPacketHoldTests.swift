import CLinux
import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(3))) struct HostPacketHoldTests {
    /// Says what was measured, for those who ask.
    private func figure(_ text: String) {
        guard ProcessInfo.processInfo.environment["GODWIT_FIGURES"] != nil else { return }
        FileHandle.standardError.write(Data(("FIGURE " + text + "\n").utf8))
    }

    private func time<Value>(
        _ what: String, _ body: () async throws -> Value
    ) async rethrows -> Value {
        let began = ContinuousClock.now
        let value = try await body()
        figure("\(what) \((ContinuousClock.now - began) / .milliseconds(1)) ms")
        return value
    }

    private func traffic(
        _ scene: HoldScene, _ address: String, isStream: Bool = true, pause: UInt32 = 2_000,
        _ body: (NumberedTraffic) async throws -> Void
    ) async throws {
        let traffic = try NumberedTraffic(scene, to: address, isStream: isStream)
        defer { traffic.end() }
        traffic.run(pause: pause)
        if pause > 0 {
            try await eventually("numbers arrive") { traffic.arrived.count > 50 }
        }
        try await body(traffic)
    }

    @Test(arguments: ["10.9.0.7", "fd09::7"], [false, true])
    func `a client's connection goes on as soon as the hold is released`(
        address: String, isReplaced: Bool
    ) async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, address) { traffic in
                let hold = try await time("prepare") { try await scene.prepare(on: scene.a) }
                let began = ContinuousClock.now
                try await time("start") { try hold.start() }
                if isReplaced {
                    try await scene.disconnect(from: scene.a)
                    try await scene.connect(to: scene.a)
                } else {
                    try await time("silence") { try HoldScene.end.silence(host: scene.a) }
                }
                // What the freeze takes.
                try await Task.sleep(for: .milliseconds(300))
                let before = try scene.retransmissions()
                let held = ContinuousClock.now - began
                let tally = try await time("release") {
                    try await scene.release(hold)
                }
                let sent = traffic.sent
                try await eventually("all arrives") { traffic.arrived.count >= sent + 50 }
                let again = try scene.retransmissions() - before
                figure("held \(held) gap \(traffic.longestGap) again \(again) \(tally)")
                #expect(again <= 1)
                #expect(tally.kept > 0 && tally.delivered == tally.kept)
                #expect(tally.dropped == 0 && tally.undelivered == 0)
                let arrived = traffic.arrived
                #expect(arrived == Array(0..<UInt32(arrived.count)))
            }
        }
    }

    @Test func `without a hold the client has to send again`() async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, "10.9.0.7") { traffic in
                try await scene.setEnd(of: scene.a, up: false)
                try await Task.sleep(for: .milliseconds(300))
                let before = try scene.retransmissions()
                try await scene.setEnd(of: scene.a, up: true)
                let sent = traffic.sent
                try await eventually("all arrives") { traffic.arrived.count >= sent + 50 }
                figure("without: gap \(traffic.longestGap)")
                #expect(try scene.retransmissions() > before)
            }
        }
    }

    @Test func `no datagram is lost on the way from one host to the other`() async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, "10.9.0.7", isStream: false) { traffic in
                let source = try await scene.prepare(on: scene.a)
                let target = try await scene.prepare(on: scene.b)
                try source.start()
                // The instance runs a little longer; what it sends must not bring the address back.
                let word = ["bash", "-c", "echo word >/dev/udp/10.9.0.1/9"]
                #expect(try await scene.run(scene.instance, word).status.isSuccess)
                try HoldScene.end.silence(host: scene.a)
                try source.yield()
                try await eventually("frames are kept at the source") { source.tally.kept > 20 }
                try target.start()
                try await time("announce") {
                    try target.announce(try Announcement(interface: HoldScene.interface))
                }
                try await eventually("frames come to the target") { target.tally.kept > 20 }
                try await scene.disconnect(from: scene.a)
                try await scene.connect(to: scene.b)
                let sent = HeldBatch.batches(source.take(), interface: "eth0").map(\.encoded)
                for bytes in sent { target.give(try HeldBatch(decoding: bytes).frames) }
                let tally = try await scene.release(target)
                #expect(tally.given > 20 && tally.delivered == tally.given + tally.kept)
                // The source's bridge has heard the announcement.
                let places = try await scene.state(of: scene.a).places
                #expect(places.count == 1 && places.allSatisfy { $0.contains("dev up0") })
                await time("drop") { await source.drop() }
                let upTo = traffic.sent
                try await eventually("all arrives") { traffic.arrived.count >= upTo + 20 }
                let arrived = traffic.arrived
                #expect(arrived == Array(0..<UInt32(arrived.count)))
            }
        }
    }

    @Test(arguments: ["10.9.0.7", "fd09::7"])
    func `a question for an address is answered after the release`(address: String) async throws {
        try await HoldScene.withInstance { scene in
            let version = address.contains(":") ? "ipv6" : "ipv4"
            let path = "/proc/sys/net/\(version)/neigh/up0/retrans_time_ms"
            // The client asks once.
            _ = try await scene.run(scene.client, ["sh", "-c", "echo 60000 >\(path)"])
            try await traffic(scene, address, isStream: false, pause: 0) { traffic in
                let hold = try await scene.prepare(on: scene.a)
                try hold.start()
                try HoldScene.end.silence(host: scene.a)
                try await scene.ip(scene.client, ["neighbour flush dev up0"])
                traffic.send()
                try await eventually("the question is kept") { hold.tally.kept > 0 }
                #expect(traffic.arrived.isEmpty)
                _ = try await scene.release(hold)
                try await eventually("what followed the answer arrives") {
                    traffic.arrived == [0]
                }
            }
        }
    }

    @Test func `a flood is kept up to the bound, the oldest first`() async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, "10.9.0.7", isStream: false, pause: 0) { traffic in
                let hold = try await scene.prepare(on: scene.a)
                try hold.start()
                try HoldScene.end.silence(host: scene.a)
                let extra = 500
                for _ in 0..<Limit.heldFrames + extra { traffic.send() }
                try await eventually("all is counted") {
                    hold.tally.kept + hold.tally.dropped >= traffic.sent
                }
                #expect(hold.tally.kept == Limit.heldFrames && hold.tally.dropped >= extra)
                let tally = try await scene.release(hold)
                #expect(tally.delivered == Limit.heldFrames)
                try await eventually("what was kept arrives") {
                    traffic.arrived.count >= Limit.heldFrames
                }
                #expect(traffic.arrived == Array(0..<UInt32(Limit.heldFrames)))
            }
        }
    }

    @Test func `broadcasts of others are not kept`() async throws {
        try await HoldScene.withInstance { scene in
            let hold = try await scene.prepare(on: scene.a)
            try hold.start()
            for address in ["10.9.0.99", "fd09::99"] {
                _ = try await scene.asks(address)
            }
            try await eventually("they are passed over") { hold.tally.passedOver > 0 }
            #expect(hold.tally.kept == 0)
            await hold.drop()
        }
    }

    @Test func `nothing arrives at a hold that was not started`() async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, "10.9.0.7") { traffic in
                let hold = try await scene.prepare(on: scene.a)
                let count = traffic.arrived.count
                try await eventually("numbers go on") { traffic.arrived.count > count + 50 }
                #expect(hold.tally == HoldTally() && hold.take().isEmpty)
                await hold.drop()
            }
        }
    }

    @Test func `a release, a drop and a sweep leave nothing behind and may come twice`()
        async throws
    {
        try await HoldScene.withInstance { scene in
            let before = try await scene.state(of: scene.a).links
            for isReleased in [true, false] {
                let hold = try await scene.prepare(on: scene.a)
                try hold.start()
                try hold.start()
                let during = try await scene.state(of: scene.a)
                #expect(during.links == before.union([hold.name]))
                #expect(during.places.allSatisfy { $0.contains(hold.name) })
                for _ in 0..<2 {
                    if isReleased {
                        _ = try await scene.release(hold)
                    } else {
                        await hold.drop()
                    }
                    let after = try await scene.state(of: scene.a)
                    #expect(after.links == before)
                    #expect(!after.places.contains { $0.contains(hold.name) })
                }
                #expect(hold.take().isEmpty)
            }
            for _ in 0..<2 {
                try await PacketHold.sweep(beside: HoldScene.end, host: scene.a)
            }
            let after = try await scene.state(of: scene.a).links
            #expect(after == before)
        }
    }

    @Test func `a second hold of an interface takes the place of the first`() async throws {
        try await HoldScene.withInstance { scene in
            let first = try await scene.prepare(on: scene.a)
            try first.start()
            let second = try await scene.prepare(on: scene.a)
            try second.start()
            try await traffic(scene, "10.9.0.7", isStream: false, pause: 0) { traffic in
                traffic.send()
                try await eventually("the second keeps it") { second.tally.kept == 1 }
                _ = try await scene.release(second)
                try await eventually("it arrives") { traffic.arrived == [0] }
            }
            await first.drop()
        }
    }

    @Test func `a hold whose process was killed is gone, and frames find their way`() async throws {
        try await HoldScene.withInstance { scene in
            let before = try await scene.state(of: scene.a).links
            let host = scene.a
            await #expect(processExitsWith: .signal(SIGKILL)) { [host = host as Int32] in
                let hold = try await PacketHold.prepare(
                    HoldScene.interface, beside: HoldScene.end, host: host)
                try hold.start()
                kill(getpid(), SIGKILL)
            }
            try await eventually("the tap is gone") {
                try await scene.state(of: scene.a).links == before
            }
            try await PacketHold.sweep(beside: HoldScene.end, host: scene.a)
            try await traffic(scene, "10.9.0.7") { _ in }
        }
    }

    @Test func `a silenced host end lets nothing through and stays up`() async throws {
        try await HoldScene.withInstance { scene in
            try await traffic(scene, "10.9.0.7", isStream: false) { traffic in
                for _ in 0..<2 { try HoldScene.end.silence(host: scene.a) }
                let count = traffic.sent
                try await eventually("more is sent") { traffic.sent > count + 20 }
                #expect(traffic.arrived.allSatisfy { $0 <= count })
                let flags = try await scene.run(scene.instance, ["ip", "-o", "link"]).text
                #expect(flags.contains("eth0") && !flags.contains("NO-CARRIER"))
                for _ in 0..<2 { try HoldScene.end.unsilence(host: scene.a) }
                try await eventually("numbers arrive again") {
                    traffic.arrived.contains { $0 > count + 20 }
                }
            }
            try await scene.setEnd(of: scene.a, up: false)
            try HoldScene.end.unsilence(host: scene.a)
            try await eventually("the client reaches the instance") {
                try await scene.asks("10.9.0.7").contains("refused")
            }
            #expect(throws: GodwitError(.kernelRefused, "")) {
                try HostEnd(name: "gwnone1").silence(host: scene.a)
            }
        }
    }

    @Test func `an instance asks for its neighbours more often and then as usual`() async throws {
        try await HoldScene.withInstance { scene in
            let path = "/proc/sys/net/ipv*/neigh/eth0/"
            let words = ["sh", "-c", "cat \(path)retrans_time_ms \(path)mcast_solicit"]
            let before = try await scene.run(scene.instance, words).text
            #expect(before == "1000\n1000\n3\n3\n")
            try NeighbourQuestions.hurry("eth0", of: scene.instance)
            let during = try await scene.run(scene.instance, words).text
            // In the kernel's ticks, of which there are 100 to 1,000 in a second.
            let numbers = during.split(separator: "\n").compactMap { Int($0) }
            #expect(numbers.prefix(2).allSatisfy { (10...20).contains($0) })
            #expect(numbers.suffix(2) == [1_000, 1_000])
            for _ in 0..<2 { try NeighbourQuestions.calm("eth0", of: scene.instance) }
            let after = try await scene.run(scene.instance, words).text
            #expect(after == before)
            // What somebody else has set stays.
            _ = try await scene.run(
                scene.instance,
                ["sh", "-c", "echo 500 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms"])
            try NeighbourQuestions.calm("eth0", of: scene.instance)
            let own = try await scene.run(scene.instance, words).text
            #expect(own == "500\n1000\n3\n3\n")
        }
    }

    @Test func `a bridge or a host end that is not there is named`() async throws {
        try await HoldScene.withInstance { scene in
            var lost = HoldScene.interface
            lost.bridge = "gwnone0"
            let missing = await #expect(throws: GodwitError.self) {
                _ = try await PacketHold.prepare(lost, beside: HoldScene.end, host: scene.a)
            }
            #expect(missing?.code == .notFound && missing?.message.contains("gwnone0") == true)
            let hold = try await scene.prepare(on: scene.a)
            try hold.start()
            await #expect(throws: GodwitError(.kernelRefused, "")) {
                _ = try await scene.release(hold, into: HostEnd(name: "gwnone1"))
            }
            // It still holds, and can be released as it should.
            _ = try await scene.release(hold)
        }
    }
}
