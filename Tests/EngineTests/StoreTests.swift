import Engine
import Foundation
import GRDB
import MigrationCore
import Testing

@Suite struct StoreTests {
    /// A directory of its own for the body.
    private func directory(_ body: (String) throws -> Void) throws {
        let path =
            FileManager.default.temporaryDirectory.path + "/godwit-store-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func definition(_ text: String) -> InstanceDefinition {
        InstanceDefinition(
            name: name(text),
            process: ProcessDefinition(command: ["/bin/sh"]),
            idMap: nil,
            created: Timestamp(milliseconds: 1)
        )
    }

    private func report(_ number: Int, ended: Bool = true) throws -> MigrationReport {
        var report = MigrationReport(
            id: try MigrationID(String(format: "%032x", number)),
            side: .source,
            instance: web,
            newName: web,
            peer: "b",
            mode: .live,
            started: Timestamp(milliseconds: Int64(number))
        )
        report.ended = ended ? .now : nil
        return report
    }

    @Test func `what was stored is there after the file is opened again`() throws {
        try directory { path in
            let record = InstanceRecord(definition: definition("web"), isWanted: true)
            try StateStore(directory: path).insert(record)
            let store = try StateStore(directory: path)
            #expect(try store.instances() == [record])
            #expect(try store.instance(name("web")) == record)
            #expect(try store.instance(name("shop")) == nil)
        }
    }

    @Test func `a name is taken once`() throws {
        try directory { path in
            let store = try StateStore(directory: path)
            let record = InstanceRecord(definition: definition("web"), isWanted: true)
            try store.insert(record)
            #expect(throws: GodwitError(.nameTaken, "")) { try store.insert(record) }
            try store.insert(InstanceRecord(definition: definition("shop"), isWanted: true))
            #expect(throws: GodwitError(.nameTaken, "")) {
                try store.change(web, lockedBy: nil) { $0.definition.name = name("shop") }
            }
            #expect(try store.instances().count == 2)
        }
    }

    @Test func `a record changes only under the lock that is expected`() throws {
        try directory { path in
            let store = try StateStore(directory: path)
            let id = try report(1).id
            try store.insert(
                InstanceRecord(definition: definition("web"), isWanted: true, lock: id)
            )
            #expect(try !store.change(web, lockedBy: nil) { $0.isWanted = false })
            try store.remove(web, lockedBy: nil)
            #expect(try store.instance(lockedBy: id)?.isWanted == true)
            #expect(try store.change(web, lockedBy: id) { $0.lock = nil })
            try store.remove(web, lockedBy: nil)
            #expect(try store.instances().isEmpty)
        }
    }

    @Test func `a file that is not a database is named and left alone`() throws {
        try directory { path in
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true
            )
            let file = path + "/godwit.db"
            let garbage = Data(repeating: 0x41, count: 8_192)
            try garbage.write(to: URL(fileURLWithPath: file))
            let error = #expect(throws: GodwitError.self) { try StateStore(directory: path) }
            #expect(error?.code == .stateUnreadable)
            #expect(error?.message.contains(file) == true)
            #expect(FileManager.default.contents(atPath: file) == garbage)
        }
    }

    @Test func `a file of a newer version is named and left alone`() throws {
        try directory { path in
            let file = try StateStore(directory: path).path
            let queue = try DatabaseQueue(path: file)
            try queue.write {
                try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')")
            }
            try queue.close()
            let error = #expect(throws: GodwitError.self) { try StateStore(directory: path) }
            #expect(error?.code == .stateUnreadable)
            #expect(error?.message.contains("newer") == true)
        }
    }

    @Test func `commits are durable`() throws {
        try directory { path in
            let store = try StateStore(directory: path)
            #expect(try store.durability() == ("wal", 2))
        }
    }

    @Test func `old reports are pruned, newest are kept`() throws {
        try directory { path in
            let store = try StateStore(directory: path)
            for number in 1...10 { try store.save(try report(number)) }
            try store.prune(keeping: 4)
            #expect(try store.reports().map(\.started.milliseconds) == [10, 9, 8, 7])
            #expect(try store.report(try report(1).id) == nil)
        }
    }

    @Test func `two hosts cannot have one name, nor one host two`() throws {
        try directory { path in
            let store = try StateStore(directory: path)
            func peer(_ name: String, _ fingerprint: String) throws -> PeerRecord {
                PeerRecord(
                    name: try RemoteName(name), fingerprint: fingerprint, certificate: "",
                    addresses: []
                )
            }
            try store.insert(try peer("b", "1"))
            for (name, print) in [("b", "2"), ("c", "1")] {
                #expect(throws: GodwitError(.nameTaken, "")) {
                    try store.insert(try peer(name, print))
                }
            }
            #expect(try store.peer(withFingerprint: "1")?.name.text == "b")
            try store.removePeer(try RemoteName("b"))
            #expect(try store.peers().isEmpty)
        }
    }
}
