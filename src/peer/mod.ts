/** This device: its key, and signatures by it and by others. */
export { openPeerIdentity, type PeerIdentityOptions } from "./identity.ts";
export { SigningKey, verifySignature } from "./signing.ts";
