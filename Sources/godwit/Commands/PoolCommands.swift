import API
import ArgumentParser
import MigrationCore

struct PoolCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pool", abstract: "Where the instances' files are kept.",
        subcommands: [
            Create.self, List.self, Info.self, Grow.self, Prune.self, Delete.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a pool.",
            discussion: """
                Drivers of this version, which docs/storage.md tells more of:

                  directory  source=… is a directory; left out, one below the state directory
                  btrfs      source=… is a directory of a mounted btrfs, or a block device that
                             is empty or has a btrfs; left out, a file below the state
                             directory, size=… large (a fifth of what is free, at most 30 GiB)
                  zfs        source=… is a zpool or a dataset of one, or a block device that is
                             empty; left out, a zpool in a file, size=… as for btrfs
                  overlay    as directory; the layers of images are shared by their instances
                  shared     source=… is a directory that other hosts see as well: moves to
                             a pool of the same kind leave the files where they are
                  lvm        source=… is a volume group, in which a thin pool is made (size=…, or
                             all that is free), or an empty block device; left out, a file as
                             with btrfs

                Examples:
                  godwit pool create fast directory source=/srv/fast
                  godwit pool create quick btrfs size=20GiB
                  godwit pool create safe zfs source=tank/godwit
                  godwit pool create both shared source=/mnt/nfs/godwit
                  godwit pool create thin lvm source=vg0 size=100GiB
                """)

        @Argument(help: "The pool's name; moves go to the pool of the same name.")
        var name: String
        @Argument(help: "How volumes are kept.", transform: PoolOptions.kind) var driver: PoolKind
        @Argument(help: "source=…, size=…") var options: [String] = []
        @OptionGroup var connection: ConnectionOptions

        var definition: PoolDefinition {
            get throws {
                try PoolOptions.definition(name: name, kind: driver, options: options)
            }
        }

        func validate() throws { _ = try definition }

        func run() async throws {
            try await connection.client.createPool(try definition)
            Output.say("the pool \(name) is made; use it with `godwit launch --pool \(name)`")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the pools.",
            discussion: """
                Example:
                  godwit pool list
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let pools = try await connection.client.pools()
            try output.say(pools, as: poolsText)
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a pool.",
            discussion: """
                Example:
                  godwit pool info default
                """)

        @Argument(help: "The pool's name.") var name: String
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let pool = try await connection.client.pool(name)
            try output.say(pool, as: poolText)
        }
    }

    struct Grow: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a pool in a file, or in a volume group, more room.",
            discussion: """
                For btrfs, zfs and lvm pools without a source, and lvm pools in a volume group;
                others have what their filesystem or device has.

                Example:
                  godwit pool grow quick 50GiB
                """)

        @Argument(help: "The pool's name.") var name: String
        @Argument(help: "Its new size.", transform: Read.size) var size: ByteCount
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.growPool(name, to: size) }
    }

    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the copies that are kept of instances that have left.",
            discussion: """
                An instance of which there is none travels as a whole when it comes back.

                Example:
                  godwit pool prune default
                """)

        @Argument(help: "The pool's name.") var name: String
        @OptionGroup var connection: ConnectionOptions
        @OptionGroup var output: FormatOptions

        func run() async throws {
            let removed = try await connection.client.prunePool(name)
            try output.say(removed, as: prunedText)
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a pool without instances and volumes, with all that was made for it.",
            discussion: """
                Example:
                  godwit pool delete fast
                """)

        @Argument(help: "The pool's name.") var name: String
        @OptionGroup var connection: ConnectionOptions

        func run() async throws { try await connection.client.deletePool(name) }
    }
}
