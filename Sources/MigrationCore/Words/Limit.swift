/// Every number that a peer, a file or an operator can push up has its ceiling here.
package enum Limit {
    /// One frame on a connection between hosts.
    package static let frame = ByteCount.mebibytes(1)
    /// One control message, encoded.
    package static let message = ByteCount.kibibytes(512)
    /// The first frame on a connection between hosts.
    package static let hello = ByteCount.kibibytes(4)
    /// The one frame that a host not yet trusted may send.
    package static let tokenMessage = ByteCount.kibibytes(4)
    /// An error on its way to the peer, encoded.
    package static let failure = ByteCount.kibibytes(64)
    /// Addresses of one remote.
    package static let addresses = 16
    /// One request body of the API.
    package static let requestBody = ByteCount.mebibytes(1)
    /// What is kept of a tool's standard output and of its standard error.
    package static let toolOutput = ByteCount.mebibytes(1)
    /// What is read of a file under /proc or /sys, and of a JSON file of ours.
    package static let smallFile = ByteCount.mebibytes(4)
    /// What is kept of an instance's log, in each of two files.
    package static let instanceLog = ByteCount.mebibytes(10)
    package static let instances = 1_000
    package static let pools = 64
    /// Passes over a volume between the first one and the freeze.
    package static let volumePasses = 16
    package static let images = 1_000
    package static let aliasesPerImage = 64
    /// One index, manifest or configuration of an image, as registries have it.
    package static let imageDocument = ByteCount.mebibytes(4)
    /// Images in one index, and levels of indexes in one another.
    package static let imagesInIndex = 1_024
    package static let indexDepth = 4
    package static let layersPerImage = 512
    package static let imageBlob = ByteCount.gibibytes(1_024)
    /// Names in one archive that becomes an image.
    package static let archiveMembers = 10_000_000
    package static let volumesPerInstance = 16
    /// Named volumes of a host.
    package static let volumes = 1_000
    package static let snapshotsPerInstance = 512
    /// For which a snapshot may be kept before it expires: ten years.
    package static let snapshotSeconds: UInt32 = 10 * 366 * 24 * 3_600
    /// For which a copy is kept of what has moved away: a year, and a week if nothing is said.
    package static let keptSeconds: UInt32 = 366 * 24 * 3_600
    package static let usualKeptSeconds: UInt32 = 7 * 24 * 3_600
    /// For which it is kept what has come when a connection broke, and how much that has to be.
    package static let partialCopySeconds: UInt32 = 24 * 3_600
    package static let smallestPartialCopy = ByteCount.mebibytes(16)
    /// Bytes of a token with which ZFS goes on with a stream that broke.
    package static let resumeToken = 4_096
    /// Copies that a host keeps of what has moved away, or has not come whole.
    package static let keptCopies = 1_000
    package static let interfacesPerInstance = 16
    package static let mountsPerInstance = 64
    /// For which traffic may be forwarded to an instance that has left: 30 days.
    package static let forwardSeconds: UInt32 = 30 * 24 * 3_600
    package static let portsPerInstance = 64
    /// Connections through an instance's published ports that travel with it.
    package static let connectionsKept = 8_192
    /// Device rules of an instance: of access, and of io.
    package static let devicesPerInstance = 64
    /// Control groups that an instance has made, counted in each hierarchy of version 1, and levels
    /// of them.
    package static let subgroups = 4_096
    package static let subgroupDepth = 32
    /// A processor's number, at which the kernel's own limit is (`CONFIG_NR_CPUS`).
    package static let processors = 8_192
    /// Of cgroup version 2 (`CGROUP_WEIGHT_MAX`).
    package static let weight: UInt32 = 10_000
    package static let commandWords = 1_024
    package static let environmentVariables = 1_024
    /// A name, path, address or other single word in a definition or message.
    package static let word = ByteCount.kibibytes(32)
    /// Levels of directories in a volume; each holds a descriptor open while the tree is walked.
    package static let treeDepth = 256
    /// Names that a pass looks at; above it, it looks at the whole tree.
    package static let passList = ByteCount.mebibytes(64)
    /// One command of a stream of `btrfs send`; the kernel's own limit of version 1 is 64 KiB.
    package static let sendCommand = ByteCount.kibibytes(64)
    /// What one end of a pass says before data, as JSON.
    package static let passNote = ByteCount.kibibytes(256)
    /// Snapshots of a volume that may serve as parents, and those that may be kept.
    package static let snapshotsPerVolume = 1_024
    /// What `zfs get` says of all datasets and snapshots of one volume.
    package static let datasetList = ByteCount.mebibytes(16)
    /// Runs of blocks that a thin pool keeps for one volume, at 24 bytes each: no fewer than those
    /// of a volume of 1 TiB can be.
    package static let thinRuns = 1 << 24
    /// Subvolumes that an instance has made in its volume.
    package static let nestedSubvolumes = 65_536
    /// Layers below one volume of an overlay: the kernel takes one page of options for a mount.
    package static let overlayLayers = 48
    /// Chains of an image's layers that are remembered to end in one of a pool's.
    package static let waysToLayer = 1_024
    /// A filesystem that is made in a file: the smallest that btrfs takes, with some room, what is
    /// taken if nothing is said, at most, and the largest.
    package static let smallestPool = ByteCount.mebibytes(128)
    package static let defaultPool = ByteCount.gibibytes(30)
    package static let largestPool = ByteCount.gibibytes(16_384)
    /// The smallest file that ZFS takes into a zpool.
    package static let smallestVdev = ByteCount.mebibytes(64)
    /// Files in one checkpoint, and the bytes of one of them.
    package static let checkpointFiles = 65_536
    package static let checkpointFile = ByteCount.gibibytes(1_024)
    /// Streams on which one instance's memory travels.
    package static let memoryStreams = 16
    /// One record on such a stream, its header included.
    package static let memoryRecord = ByteCount.kibibytes(256)
    /// Pages that one record may ask the target to repeat.
    package static let repeatedPages: UInt64 = 4_096
    /// Contents that the source remembers for each stream, so as not to send them twice.
    package static let rememberedPages = 131_072
    /// Address spaces of one instance.
    package static let memoryTasks = 16_384
    /// Pages of which a peer may say, in one list or record, that they are there, zero or still to
    /// come: 4 TiB with 4 KiB. Each 512 that lie together cost a few hundred bytes.
    package static let memoryPages: UInt64 = 1 << 30
    /// The kernel's own limit of a pid.
    package static let pid: UInt32 = 4_194_304
    /// The address after the last that a process can have: 56 bits with five levels of page tables.
    package static let userAddress: UInt64 = 1 << 56
    /// Runs of pages that could not be read, of one task, before neighbours are lumped together.
    package static let unreadRuns = 4_096
    /// Rounds of pre-copy that may be asked for, and how many of them a report tells of.
    package static let rounds = 1_000
    package static let roundsReported = 64
    /// Trackers, each with one reason, in a report.
    package static let trackerReasons = 32
    package static let findings = 256
    package static let addressesPerInterface = 16
    /// What is kept for one interface of an instance while that cannot take it: frames, their
    /// bytes, and the bytes of one (the largest that an interface sends, with its header and one
    /// tag).
    package static let heldFrames = 4_096
    package static let heldBytes = ByteCount.mebibytes(4)
    package static let heldFrame = 65_535 + 18
    /// One batch of such frames on its way to the other host, encoded.
    package static let heldBatch = ByteCount.kibibytes(256)
    /// Features in one side's capabilities.
    package static let features = 64
    /// Three for each volume, and what stands around them.
    package static let planSteps = 3 * volumesPerInstance + 8
    /// Parts of the time on the target, in a receipt.
    package static let reportParts = 32
    package static let migrationsAtOnce = 8
    package static let connectionsPerPeer = 64
    package static let connectionsBeforeHello = 64
    package static let operationsKept = 1_000
    package static let migrationsKept = 10_000
    package static let tokensOpen = 64
    /// From one address (from one /64 with IPv6).
    package static let tokenAttemptsPerMinute = 10
    package static let tokenAttemptsPerMinuteInAll = 60
    package static let eventsQueued = 1_024
    /// Mappings of one process; the kernel's own default limit is half of it.
    package static let mappings = 131_072
    /// Memory of one instance whose pages are told apart by their hashes, at 8 bytes a page.
    package static let hashedMemory = ByteCount.gibibytes(256)
}
