import CLinux
import Foundation
import MigrationCore
import Synchronization

/// Makes a tree what a stream of `btrfs send` with a parent says, in place: the root stays the same
/// directory, so that whoever holds it sees the new content.
///
/// The tree has to be what the parent was. No name leads out of it, and no link is followed.
/// `btrfs receive` makes another subvolume for each stream and waits four times for the disk.
package final class SendStreamApplier: Sendable {
    private let state: Mutex<State>

    /// - Parameters:
    ///   - root: the tree.
    ///   - uuid, parent: what the stream has to be of, and against.
    ///   - base: the parent's tree, from which content is taken that both have.
    package init(root: String, base: String, uuid: String, parent: String) throws {
        state = Mutex(
            State(
                tree: try AppliedTree(root), base: try RootedFiles(base), uuid: uuid,
                parent: parent))
    }

    /// Applies what is whole; the rest waits for more.
    package func apply(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            state.reader.feed(bytes)
            while let command = try state.reader.next() { try state.apply(command) }
        }
    }

    /// - Parameter modified: the root's time, which the stream's temporary names have changed.
    /// - Throws: `protocolViolation` if the stream is not whole.
    package func finish(modified: FileTime) throws {
        try state.withLock { state in
            guard state.progress == .ended, state.reader.isEmpty else {
                throw SendCommand.nonsense("no end")
            }
            try state.tree.setTimes([], accessed: nil, modified: modified)
        }
    }

    private enum Progress { case nothing, begun, ended }

    private struct State {
        let tree: AppliedTree
        let base: RootedFiles
        let uuid: String
        let parent: String
        var reader = SendStreamReader()
        var progress = Progress.nothing

        mutating func apply(_ command: SendCommand) throws {
            switch (progress, command.kind) {
            case (.nothing, .snapshot):
                guard try command.identity(isClone: false) == uuid,
                    try command.identity(isClone: true) == parent
                else { throw SendCommand.nonsense("another snapshot than was said") }
                progress = .begun
            case (.begun, .end): progress = .ended
            case (.begun, .clone): try clone(command)
            case (.begun, _): try tree.apply(command)
            case (.nothing, _), (.ended, _):
                throw SendCommand.nonsense("the command \(command.kind) in the wrong place")
            }
        }

        private func clone(_ command: SendCommand) throws {
            let path = Array(try command.bytes(.clonePath))
            let identity = try command.identity(isClone: true)
            let held: Descriptor? =
                switch identity {
                case uuid: try tree.regularFile(path)
                case parent: try base.regularFile(at: path)
                default: nil
                }
            guard let held, let file = try RootedFiles.open(held) else {
                throw SendCommand.nonsense("content of a file that is not there")
            }
            try tree.clone(
                file, command.number(.cloneOffset),
                command.number(.cloneLength), into: Array(command.bytes(.path)),
                at: command.number(.offset))
        }
    }
}
