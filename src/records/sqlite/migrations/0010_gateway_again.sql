-- A file that was changed is announced anew: the platform has it under another id than the customer's client. NULL: under the same.
ALTER TABLE gateway_files ADD COLUMN platform_id TEXT;
CREATE UNIQUE INDEX gateway_files_by_platform ON gateway_files (session, platform_id) WHERE platform_id IS NOT NULL;
