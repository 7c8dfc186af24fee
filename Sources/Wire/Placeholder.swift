import Crypto
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import X509
