import Foundation
import LinuxHost
import MigrationCore
import Pages
import Testing

/// Real containers, CRIU and runc: dumped without their memory, restored with ours.
@Suite(.serialized, .enabled(if: LazyHost.isPossible)) struct HostLazyRestoreTests {
    /// `GODWIT_ROUNDS=50` repeats each.
    private let rounds = ProcessInfo.processInfo.environment["GODWIT_ROUNDS"].flatMap(Int.init) ?? 1

    @Test(arguments: Witness.Mode.allCases)
    func `every byte is where it belongs while the instance goes on`(mode: Witness.Mode)
        async throws
    {
        for round in 0..<rounds {
            try await LazyHost.with(mode, mebibytes: 64) { host in
                let frozen = try await host.freezeAndDump()
                #expect(
                    frozen.hiddenFromCriu.allSatisfy { task, runs in
                        !runs.contains { overlaps($0, frozen.present[task] ?? []) }
                    })
                let report = try await move(host, frozen)
                measured("\(mode) \(round): dump \(frozen.dumpTime), \(report)")
                #expect(report.pagesLeft == 0 && report.tasks > 0)
                #expect(frozen.store.bytes == .init(bytes: 0))
                if mode == .mappings { #expect(frozen.pages > 16_000) }
                if mode == .plain {
                    #expect(
                        report.pagesByFault + report.pagesInBackground + report.pagesThere
                            == frozen.pages)
                    #expect(try host.imageBytes() < 400_000)
                }
            }
        }
    }

    @Test(arguments: Witness.Mode.allCases)
    func `every byte is right while the background takes its time`(mode: Witness.Mode)
        async throws
    {
        for round in 0..<rounds {
            try await LazyHost.with(mode, mebibytes: 64) { host in
                let frozen = try await host.freezeAndDump()
                let report = try await move(host, frozen, pause: .milliseconds(20))
                measured("slowly \(mode) \(round): \(report)")
                #expect(report.pagesLeft == 0 && report.pagesByFault > 0)
                #expect(mode != .forks || report.forks > 0)
            }
        }
    }

    @Test func `without a user namespace it works the same way`() async throws {
        try await LazyHost.with(.plain, mebibytes: 16, inUserNamespace: false) { host in
            let report = try await move(host, try await host.freezeAndDump())
            #expect(report.pagesByFault + report.pagesInBackground > 4_000)
        }
    }

    @Test(arguments: [1, 7, 600])
    func `CRIU carries what lies between the pages that we carry`(stripe: Int) async throws {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            let frozen = try await host.freezeAndDump(stripe: stripe)
            #expect(try host.imageBytes() > 4 << 20)
            #expect((1_900...2_700).contains(frozen.pages))
            let seen = frozen.hiddenFromCriu[TaskID(1)] ?? []
            let carried = Set(pages(frozen))
            #expect(
                !seen.contains { run in
                    (0..<run.count).contains {
                        carried.contains(run.address + UInt64($0 * PageRun.pageSize))
                    }
                })
            let report = try await move(host, frozen)
            #expect(report.pagesThere == 0 && report.pagesDropped == 0)
        }
    }

    @Test func `a list that is not as it should be ends the dump, and the instance goes on`()
        async throws
    {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            for text in [
                "1 2000 1000\n", "1 1000 2000", "x\n", "2 1000 2000\n1 1000 2000\n",
                "1 1000 3000\n1 2000 4000\n", "1 1000 2000 \n", "\n",
            ] {
                #expect(try await !host.dumps(hiding: text), "\(text)")
            }
            #expect(try await host.dumps(hiding: ""))
            try await host.waitForRounds(2)
        }
    }

    @Test func `what CRIU has seen after all it restores itself`() async throws {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            let frozen = try await host.freezeAndDump(hides: false)
            #expect(frozen.hiddenFromCriu[TaskID(1)] != nil)
            #expect(try host.imageBytes() > 14 << 20)
            // Pages that lie in the images are there already; CRIU leaves out zero pages.
            let report = try await move(host, frozen)
            #expect(report.pagesThere > 3_600 && report.pagesThere <= frozen.pages)
        }
    }

    @Test func `pages that the instance no longer had when it was frozen are not brought back`()
        async throws
    {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            let frozen = try await host.freezeAndDump()
            // As if an earlier round had sent content for pages that were emptied since.
            let zeros = zeroPages(frozen)
            #expect(zeros.count > 300)
            let rubbish = [UInt8](repeating: 0xAA, count: PageRun.pageSize)
            for address in zeros {
                try unsafe rubbish.withUnsafeBytes {
                    try unsafe frozen.store.keep($0, of: TaskID(1), at: address)
                }
            }
            let all = pages(frozen).filter { !zeros.contains($0) }
            let present = [TaskID(1): all.map { PageRun(address: $0, count: 1) }]
            _ = try await move(host, frozen, present: present)
        }
    }

    @Test func `memory that no task waits for fails the restore before anything runs`()
        async throws
    {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            let frozen = try await host.freezeAndDump()
            let page = [UInt8](repeating: 1, count: PageRun.pageSize)
            try unsafe page.withUnsafeBytes {
                try unsafe frozen.store.keep($0, of: TaskID(1), at: 0x10000)
            }
            let server = try host.makeServer(frozen.store)
            server.complete(nil)
            async let report = server.run()
            await #expect(throws: GodwitError(.restoreFailed, "")) { try await host.restore() }
            let result: Result<LazyReport, any Error>
            do { result = .success(try await report) } catch { result = .failure(error) }
            let error = #expect(throws: GodwitError.self) { _ = try result.get() }
            #expect(
                error?.cause?.contains("faults at 10000") == true, "\(String(describing: error))")
            #expect(host.processes.isEmpty)
        }
    }

    @Test func `tasks wait until the store is complete`() async throws {
        try await LazyHost.with(.plain, mebibytes: 16) { host in
            let frozen = try await host.freezeAndDump()
            let server = try host.makeServer(frozen.store)
            async let report = server.run()
            async let restored: Void = host.restore()
            while server.progress.tasks == 0 { try await Task.sleep(for: .milliseconds(1)) }
            // The restore cannot end before this, however long it takes.
            try await Task.sleep(for: .milliseconds(50))
            #expect(server.progress.pagesInBackground == 0)
            server.complete(frozen.present)
            try await restored
            _ = try await report
            try await host.waitForRounds(3)
        }
    }

    private func move(
        _ host: LazyHost, _ frozen: LazyHost.Frozen, present: [TaskID: [PageRun]]? = nil,
        pause: Duration = .zero
    ) async throws -> LazyReport {
        let server = try host.makeServer(frozen.store, pause: pause)
        server.complete(present ?? frozen.present)
        async let report = server.run()
        try await host.restore()
        try await host.waitForRounds(2)
        let done = try await report
        try await host.waitForRounds(4)
        return done
    }

    private func overlaps(_ run: PageRun, _ others: [PageRun]) -> Bool {
        others.contains { $0.address < run.end && run.address < $0.end }
    }

    private func pages(_ frozen: LazyHost.Frozen) -> [UInt64] {
        (frozen.present[TaskID(1)] ?? []).flatMap { run in
            (0..<run.count).map { run.address + UInt64($0 * PageRun.pageSize) }
        }
    }

    private func zeroPages(_ frozen: LazyHost.Frozen) -> Set<UInt64> {
        let zeros = [UInt8](repeating: 0, count: PageRun.pageSize)
        return Set(
            pages(frozen).filter { frozen.store.page(of: TaskID(1), at: $0) == .content(zeros) })
    }
}
