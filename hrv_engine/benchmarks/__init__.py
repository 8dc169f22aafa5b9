"""The paper's prompts as data: weakening, editing, several objects, prompt sets."""
