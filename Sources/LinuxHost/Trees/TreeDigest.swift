import Foundation
import MigrationCore
import Synchronization

/// Digests of one tree: every path with its type, permissions, owner, times, attributes, links and
/// content.
///
/// Equal trees have equal digests on any host, in whatever order they were made. The first call
/// reads every file; later calls read again what has changed since, by size and times of each
/// inode. Paths that vanish or change during a call are no error, so that a running instance's tree
/// can be read ahead.
package final class TreeDigest: Sendable {
    private let remembered = Mutex<[FileKey: RememberedHash]>([:])

    package init() {}

    /// - Parameters:
    ///   - mapped: paths (as `/a/b`) that are read again whatever their times say. One that stands
    ///     for bytes that are not UTF-8 means every path that is shown so.
    ///   - isView: whether `root` shows the tree with other ids than it has.
    /// - Returns: a text to be compared, not read.
    package func digest(
        of root: String, mapped: Set<String> = [], isView: Bool = false
    ) async throws -> String {
        let before = remembered.withLock { $0 }
        let survey = try await blocking {
            let isPlain = !isView && FilesystemFacts.stampsChanges(at: root)
            return try TreeSurvey(
                of: root, mapped: mapped, remembered: before, remembersAttributes: isPlain)
        }
        try Task.checkCancellation()
        let fresh = try await readContents(of: survey, below: root)
        remembered.withLock { memory in
            memory = [:]
            memory.reserveCapacity(survey.contents.count)
            for content in survey.contents {
                memory[content.key] =
                    fresh[content.key]?.memory
                    ?? before[content.key]?.with(attributes: content.attributes)
            }
        }
        return Self.sum(survey, fresh)
    }

    private static func sum(_ survey: TreeSurvey, _ fresh: [FileKey: Reading]) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(survey.records.count * 32)
        for record in survey.records {
            let content = record.content.map { survey.contents[$0] }
            let read = content.flatMap { $0.hash ?? fresh[$0.key]?.hash } ?? .vanished
            for value in [record.hash.low, record.hash.high, read.low, read.high] {
                unsafe withUnsafeBytes(of: value.littleEndian) {
                    unsafe bytes.append(contentsOf: $0)
                }
            }
        }
        return "tree1-" + ContentHash(of: bytes).hexadecimal
    }

    private func readContents(
        of survey: TreeSurvey, below root: String
    ) async throws -> [FileKey: Reading] {
        let unknown = survey.contents.filter { $0.hash == nil }
        guard !unknown.isEmpty else { return [:] }
        let work = ReadingWork(
            unknown: unknown, files: try RootedFiles(root), surveyed: survey.began)
        let readers = min(4, max(2, ProcessInfo.processInfo.activeProcessorCount), unknown.count)
        return try await withThrowingTaskGroup(of: [FileKey: Reading].self) { group in
            for _ in 0..<readers { group.addTask { try await work.readUntilDone() } }
            var all: [FileKey: Reading] = [:]
            do {
                for try await part in group { all.merge(part) { first, _ in first } }
            } catch {
                work.stop()
                throw error
            }
            return all
        }
    }
}

private struct Reading: Sendable {
    let hash: ContentHash
    /// Nil if the file changed or went while it was read.
    let memory: RememberedHash?
}

/// Files to be read, taken by several threads one after another.
private final class ReadingWork: Sendable {
    private let unknown: [SurveyedContent]
    private let files: RootedFiles
    /// When the survey began.
    private let surveyed: FileTime
    private let next = Atomic(0)

    init(unknown: [SurveyedContent], files: RootedFiles, surveyed: FileTime) {
        self.unknown = unknown
        self.files = files
        self.surveyed = surveyed
    }

    func stop() { next.store(unknown.count, ordering: .relaxed) }

    func readUntilDone() async throws -> [FileKey: Reading] {
        try await withTaskCancellationHandler {
            try await blocking { [self] in
                let hasher = FileHasher()
                var done: [FileKey: Reading] = [:]
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < unknown.count else { return done }
                    done[unknown[index].key] = try read(unknown[index], with: hasher)
                }
            }
        } onCancel: {
            stop()
        }
    }

    private func read(
        _ content: SurveyedContent, with hasher: borrowing FileHasher
    ) throws -> Reading {
        guard let held = try files.regularFile(at: content.path) else {
            return Reading(hash: .vanished, memory: nil)
        }
        let taken = FileTime.now()
        let before = try FileStatus.of(descriptor: held.number)
        guard let file = try RootedFiles.open(held) else {
            return Reading(hash: .vanished, memory: nil)
        }
        let hash = try hasher.hash(file)
        let after = try FileStatus.of(descriptor: held.number)
        guard before.key == content.key, before.size == after.size,
            before.modified == after.modified, before.changed == after.changed
        else { return Reading(hash: hash, memory: nil) }
        // They were asked for earlier, by the survey.
        let knowsAttributes =
            content.changed == after.changed && after.changed.isSettled(by: surveyed)
        return Reading(
            hash: hash,
            memory: RememberedHash(
                size: after.size, modified: after.modified, changed: after.changed,
                taken: taken, hash: hash,
                attributes: knowsAttributes ? content.attributes : nil))
    }
}
