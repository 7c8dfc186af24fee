import Foundation
import MigrationCore
import TestSupport
import Testing

/// Conversations, as they read in a description of the protocol; the files are beside this folder.
///
/// `UPDATE=1 swift test --filter TranscriptTests` writes them anew.
@Suite struct TranscriptTests {
    @Test(arguments: Conversation.all)
    func `a conversation goes as it is written`(conversation: Conversation) throws {
        var world = World(conversation.scenario, isTraced: true)
        conversation.script(&world)
        world.settle()
        #expect(world.violation == nil)
        #expect(world.disagreement() == nil, "\(conversation.name)")
        let end = "the instance: original \(world.source.original), copy \(world.target.copy)"
        let text =
            ([conversation.name, ""] + (world.trace ?? []) + ["", end])
            .joined(separator: "\n") + "\n"
        let file = Self.folder.appending(path: "\(conversation.file).txt")
        if ProcessInfo.processInfo.environment["UPDATE"] == "1" {
            try FileManager.default.createDirectory(
                at: Self.folder,
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    @Test func `every transcript belongs to a conversation`() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path())
        #expect(Set(files) == Set(Conversation.all.map { "\($0.file).txt" }))
    }

    private static let folder = Repository.root
        .appending(path: "Tests/MigrationCoreTests/Transcripts")
}
