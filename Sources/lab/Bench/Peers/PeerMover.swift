import Foundation
import LinuxHost
import MigrationCore
import TestSupport

/// How another system is used, in bash. Each script runs on one host, after `PeerMover.words`.
///
/// While it may, each is at its best: plain TCP without encryption, images in memory, everything
/// on the target listening and laid before the workload stands still.
struct PeerScripts: Sendable {
    /// Programs that must be installed.
    var tools: [String]
    /// Once on each host.
    var prepare: String
    /// On host a.
    var start: String
    /// On the target, before the move.
    var listen: String
    /// On the source: from the checkpoint until all is sent.
    var leave: String
    /// On the target: from the arrival of all until clients are served.
    var arrive: String
    /// On the source, after the move.
    var tidy: String
    /// All cgroups of the workload carry the name of the lab and this; nil for the host's own.
    var group: String?
    /// On each host once all are prepared: the other's `/run/peer/given` is here as
    /// `/run/peer/taken`.
    var meet: String?

    /// The first of the tools that is not here.
    func missingTool() async -> String? {
        for tool in tools {
            let found = try? await Command("sh", ["-c", "command -v \(tool)"]).run()
            if found?.status.isSuccess != true { return tool }
        }
        return nil
    }
}

/// Another system than Godwit, between the same hosts, with the same workload.
struct PeerMover: Mover {
    let lab: Lab
    let meters: [String: HostMeter]
    let item: BenchCase
    let scripts: PeerScripts

    /// Copies the root filesystem to both hosts: it is there before any move.
    init(
        lab: Lab, meters: [String: HostMeter], item: BenchCase, scripts: PeerScripts, _ root: String
    ) async throws {
        (self.lab, self.meters, self.item, self.scripts) = (lab, meters, item, scripts)
        for host in lab.hosts.map(\.name) {
            try await run(on: host, "cp -a \(root) $files/rootfs\n" + scripts.prepare)
        }
    }

    func start() async throws {
        for (host, other) in [("a", "b"), ("b", "a")] {
            let given = lab.host(other).path("/run/peer/given")
            guard FileManager.default.fileExists(atPath: given) else { continue }
            try await Command("cp", [given, lab.host(host).path("/run/peer/taken")]).check()
        }
        for host in lab.hosts.map(\.name) { try await run(on: host, scripts.meet ?? "") }
        try await run(on: "a", scripts.start)
    }

    func prepare(from source: String, to target: String) async throws {
        try await run(on: target, "rm -rf $images; mkdir -p $images\n" + scripts.listen)
        try await run(on: source, "rm -rf $images; mkdir -p $images")
    }

    func move(from source: String, to target: String) async throws -> MoveFigures {
        let clock = ContinuousClock()
        let start = clock.now
        let begun = Date().timeIntervalSince1970
        var moments = try await run(on: source, scripts.leave)
        moments += try await run(on: target, scripts.arrive)
        let total = (clock.now - start) / .milliseconds(1)
        return MoveFigures(
            totalMilliseconds: total, downtimeMilliseconds: total,
            parts: parts(of: moments, since: begun))
    }

    func tidy(_ source: String) async throws { try await run(on: source, scripts.tidy) }

    func instanceGroup(of host: String) -> String {
        scripts.group.map { "\(Lab.prefix(of: lab.id))-\($0)" } ?? lab.cgroupParent(of: host)
    }

    /// Runs a script and returns what it said.
    @discardableResult
    private func run(on host: String, _ script: String) async throws -> String {
        let words = ["bash", "-c", self.words(for: host) + script]
        return try await lab.host(host).check(meters[host]?.counting(words) ?? words, seconds: 300)
    }

    /// `checkpoint 1795700433.123456` is the moment at which that part was done.
    private func parts(of text: String, since begun: Double) -> [String: Double] {
        var (last, parts) = (begun, [String: Double]())
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let moment = Double(words[1]) else { continue }
            parts[String(words[0])] = (moment - last) * 1000
            last = moment
        }
        return parts
    }

    /// What every script may use.
    ///
    /// The namespace `pages` is laid beforehand and plugged in when the workload runs: a packet
    /// that came earlier would be answered with a reset. Its questions for neighbours do not wait
    /// a second each, and one announcement teaches the switch where the address is now.
    private func words(for host: String) -> String {
        let other = host == "a" ? "b" : "a"
        return """
            set -euo pipefail
            export PATH=/run/peer/bin:$PATH
            own=\(lab.address(of: host)) other=\(lab.address(of: other)) address=\(BenchRun.address)
            group=\(instanceGroup(of: host)) bridge=\(Lab.bridge) mac=02:67:77:00:00:10
            mib=\(item.mebibytes) rate=\(item.rate) criu=\(lab.settings.criu)
            files=/var/lib/godwit/peer images=/run/peer/images
            mkdir -p $files $images /run/peer/bin
            ln -sf $criu /run/peer/bin/criu
            done_with() { echo "$1 $EPOCHREALTIME"; }
            log=/run/peer/log
            quietly() { "$@" </dev/null >/dev/null 2>>$log || { tail -n 5 $log >&2; false; }; }
            detached() { "$@" </dev/null >/dev/null 2>&1 || { tail -n 5 $log >&2; false; }; }
            background() {
                "${@:2}" </dev/null >/dev/null 2>>$log &
                echo $! >/run/peer/$1.pid
            }
            listening() { until ss -ltnH "sport = :$1" | grep -q .; do sleep 0.01; done; }
            ended() { while kill -0 $(cat /run/peer/$1.pid) 2>/dev/null; do sleep 0.005; done; }
            lay() {
                ip netns add pages
                ip link add gwpeer0 type veth peer name eth0 address $mac netns pages
                ip netns exec pages bash -c '
                    echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
                    echo 20 >/proc/sys/net/ipv4/neigh/eth0/retrans_time_ms
                    echo 100 >/proc/sys/net/ipv4/neigh/eth0/mcast_solicit'
                ip -n pages link set lo up
                ip -n pages link set eth0 up
                ip -n pages address add $address/24 dev eth0
                ip link set gwpeer0 up
            }
            plug() {
                ip link set gwpeer0 master $bridge
                background arping ip netns exec pages arping -q -U -c 1 -I eth0 $address
            }
            unplug() { ip link set gwpeer0 nomaster; }
            unlay() { ip link delete gwpeer0; ip netns delete pages; }
            serve_files() {
                printf '%s\\n' port=8873 'use chroot=no' '[x]' path=/ 'read only=no' uid=0 gid=0 \\
                    >/run/peer/rsyncd.conf
                background rsync rsync --daemon --no-detach --address=$own \\
                    --config=/run/peer/rsyncd.conf
                listening 8873
            }

            """
    }
}
