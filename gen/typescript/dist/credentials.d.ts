import type { AccessToken } from './api/types.gen.js';
/** The tokens of a session. */
export declare class Credentials {
    #private;
    private access;
    private refresh;
    private readonly keep;
    private readonly exchange;
    constructor(access: string, refresh: string, keep: ((next: AccessToken) => void | Promise<void>) | undefined, exchange: (refreshToken: string) => Promise<AccessToken>);
    get renewable(): boolean;
    /** The access token. It is empty when there is none and no way to get one. */
    token(signal: AbortSignal): Promise<string>;
    /**
     * An access token that is newer than the refused one. Callers at the same time share one refresh, which goes on when they
     * leave: its refresh token cannot be used again.
     */
    renew(refused: string, signal: AbortSignal): Promise<string>;
}
