-- Deleting a block document deletes the runs on its infrastructure; few runs name one.
CREATE INDEX flow_run_infrastructure_document ON flow_run (infrastructure_document_id)
    WHERE infrastructure_document_id IS NOT NULL;
